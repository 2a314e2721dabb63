"""Which images are the same, whatever file they lie in: a hash of their pixels."""

import hashlib

import numpy as np
from jaxtyping import Bool, Shaped

DIGITS = 16
"""Hexadecimal digits of a hash: among 10 million images, two have the same one with a chance of 3 in a million."""


def image_hash(
    values: Shaped[np.ndarray, "band row column"], valid: Bool[np.ndarray, "band row column"] | None = None
) -> str:
    """16 hexadecimal digits of SHA-256 over type, shape and stored values of one date, with 0 where not valid.

    Bands in order of wavelength, without padding, in C order, little endian. So compression, tiling, file format and
    the order of bands in the file change nothing; other bands, another type and scaled values make another image.
    """
    if valid is not None and not valid.all():
        values = np.where(valid, values, np.zeros((), values.dtype))
    stored = np.ascontiguousarray(values, values.dtype.newbyteorder("<"))
    digest = hashlib.sha256(f"{stored.dtype.str} {stored.shape}".encode())
    digest.update(stored.reshape(-1).view(np.uint8).data)
    return digest.hexdigest()[:DIGITS]


def date_hashes(
    values: Shaped[np.ndarray, "date band row column"], valid: Bool[np.ndarray, "date band row column"] | None = None
) -> list[str]:
    """The hash of each date. One without a valid pixel, or with 0 everywhere, has none: it is the same for all places.

    values: bands in order of wavelength.
    """
    several = [(of_date, None if valid is None else valid[date]) for date, of_date in enumerate(values)]
    return [
        image_hash(of_date, here)
        for of_date, here in several
        if (of_date.any() if here is None else of_date.any(where=here))
    ]
