"""Which bands of an image decide where it is fill that nobody declared."""

from collections.abc import Sequence
from dataclasses import replace
from itertools import groupby

from spectralgpt.bands import Band, Identity
from spectralgpt.bands.naming import written_names
from spectralgpt.products.product import StoredBand
from spectralgpt.raster.fill import FEWEST_TO_DECIDE, FillRule, fill_marks
from spectralgpt.raster.layer import Layer


def with_fill_rules(layers: tuple[Layer, ...], stored: Sequence[StoredBand], identity: Identity) -> tuple[Layer, ...]:
    """The layers with the rule by which their pixels may be fill.

    stored: all bands of the image, also those that are not read. Three or more reflective bands of one scale, type and
    grid decide together; fewer never do.
    """
    reflective = [
        index for index, band in enumerate(_bands(stored, identity)) if band is not None and _is_reflective(band)
    ]
    rules: dict[int, FillRule] = {}
    groups: dict[tuple[object, ...], list[int]] = {}
    for index in reflective:
        one = stored[index]
        groups.setdefault((one.grid, one.dtype, one.scale, one.offset), []).append(index)
    for group in groups.values():
        if len(group) >= FEWEST_TO_DECIDE:
            rules |= dict.fromkeys(group, _rule([stored[index] for index in group]))
    return tuple(replace(layer, fill=rules.get(index)) for layer, index in zip(layers, identity.indices, strict=True))


def _bands(stored: Sequence[StoredBand], identity: Identity) -> list[Band | None]:
    """Of each stored band: the band that it was identified as, else that of its name in the same sensor; None for a
    name that the sensor does not have."""
    read = dict(zip(identity.indices, identity.bands, strict=True))
    names = [each.name for each in written_names([band.name for band in stored])]
    known = identity.sensor
    return [
        read.get(index) or (known.band(name) if name is not None and known.knows(name) else None)
        for index, name in enumerate(names)
    ]


def _is_reflective(band: Band) -> bool:
    return not (band.is_thermal or band.is_panchromatic)


def _rule(group: list[StoredBand]) -> FillRule:
    declared = any(band.nodata is not None or band.masked or bool(band.alpha) for band in group)
    by_file = groupby(sorted(group, key=lambda band: (band.path, band.index)), key=lambda band: band.path)
    return FillRule(
        fill_marks(group[0].dtype, declared),
        tuple((path, tuple(band.index for band in bands)) for path, bands in by_file),
    )
