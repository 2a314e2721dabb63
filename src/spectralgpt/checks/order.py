"""Whether the bands have the names of others, by the spectra that they show."""

import numpy as np
from jaxtyping import Float

from spectralgpt.bands import is_sensor
from spectralgpt.checks.flags import NAMED, Flag
from spectralgpt.checks.pixel_sample import TOO_FEW_PIXELS, PixelSample
from spectralgpt.checks.typical import likeliest_order, typical
from spectralgpt.errors import argument

GAIN, USUAL_ODDNESS = 10.0, 2.5
"""The order is suspected when the squared distance of an image's spectra falls by the first in another order of its
bands, to less than the second per band. In clean images it falls by at most 9, except over odd waters, usual in no
order."""

ODD = 10.0
"""Squared distance per band above which spectra are like none; in clean images it is at most 4, over odd waters 7."""


def suspected_order(sample: PixelSample, quantiles: Float[np.ndarray, "quantile band"]) -> list[Flag]:
    """A flag when the spectra fit much better in another order of the bands, or in none."""
    reference = typical(sample.level)
    same = reference.same(sample.bands)
    bands = [
        band
        for band, here in enumerate(same)
        if here is not None and np.isfinite(quantiles[:, band]).all() and sample.measured(band).size >= TOO_FEW_PIXELS
    ]
    if len(bands) < 3:
        return []
    columns = [here for here in (same[band] for band in bands) if here is not None]
    order, as_named, least = likeliest_order(reference, quantiles[:, bands], columns)
    names = [sample.names[band] for band in bands]
    if (as_named - least) * len(bands) > GAIN and least < USUAL_ODDNESS:
        moved = [(names[there], names[here]) for here, there in enumerate(order) if here != there]
        pairs = ", ".join(f"{found} looks like {real}" for found, real in moved[:NAMED])
        return [
            Flag(
                "order",
                tuple(sorted((found for found, _ in moved), key=sample.names.index)),
                f"found bands with names that seem wrong ({pairs}); expected spectra as on Earth. Check their order; "
                f"if the names are wrong, {_renaming(sample, moved)}",
            )
        ]
    if as_named > ODD:
        return [
            Flag(
                "order",
                tuple(names),
                f"found spectra unlike any on Earth ({as_named:.3g} times as far from the usual as real ones); "
                "expected reflectance. Perhaps each band was scaled separately, or these are others: ask its provider",
            )
        ]
    return []


def _renaming(sample: PixelSample, moved: list[tuple[str, str]]) -> str:
    """What to do about names that are wrong. moved: pairs of a name, and of the name that its values look like."""
    of = {band.sensor for band in sample.bands}
    if len(of) > 1 or not is_sensor(*of):
        return "correct them in the file"
    pairs = ",".join(f"{real}={found}" for found, real in moved)
    return f"give {argument('bands', f'{of.pop()}:{pairs}')}"
