"""Variants of a data set's labels that a user can choose."""

from spectralgpt.errors import OptionError, argument


def refuse_variant(title: str, variant: str | None) -> None:
    """OptionError for any variant, of a data set that has one kind of labels."""
    if variant is not None:
        raise OptionError(f"{argument('variant', variant)}: found {title}, which has no variants", "none")
