"""What is said of a data set's folder that was not extracted whole."""

from collections.abc import Sequence

from spectralgpt.errors import DataError, first_few

SHOWN_PARTS = 4
"""Incomplete parts that a message names."""


def incomplete(folder: str, total: str, parts: Sequence[str], expected: str, origin: str) -> DataError:
    """The error for a folder with missing parts.

    total: how many there are of what, like `24 cities`. parts: the incomplete ones, each with what is missing.
    expected: what each has. origin: where the data set comes from.
    """
    return DataError(
        f"{folder}: found {len(parts)} of {total} incomplete: {first_few(parts, SHOWN_PARTS)}",
        expected,
        f"Extract it again, or download it from {origin}",
    )
