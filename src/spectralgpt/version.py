"""The version of the package."""

__version__ = "0.1.0"

RULES = 2
"""Number of the rules that turn the values of an image into vectors; raised whenever one of them changes vectors under
the same weights: which bands feed which, how missing pixels are filled, which values count as missing. Results with
different numbers are not comparable."""
