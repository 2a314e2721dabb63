"""The offset of Sentinel-2 in a STAC item: whether 1000 was added to the stored values, or subtracted again."""

import re
from dataclasses import dataclass, replace
from typing import Any

from spectralgpt.errors import RasterError
from spectralgpt.products.formats.stac.asset_band import AssetBand

SHIFTED = 4.0
"""The processing baseline of Sentinel-2 since which 1000 is added to stored values, so that none is below 0 (ESA)."""

APPLIED = ("earthsearch:boa_offset_applied", "sentinel:boa_offset_applied")
"""Where earth-search states that it subtracted the 1000; its `raster:bands` have offset -0.1 nevertheless."""

BASELINES = ("s2:processing_baseline", "sentinel:processing_baseline", "processing:version")


@dataclass(frozen=True, slots=True)
class Shift:
    """What an item states about the 1000 that Sentinel-2's products since baseline 04.00 add to stored values.

    baseline: None when not stated. removed: whether the catalogue subtracted it from the pixels, None when not stated.
    fact: both in words.
    """

    baseline: float | None
    removed: bool | None
    fact: str

    def applied_to(self, band: AssetBand, key: str, source: str, warnings: list[str]) -> AssetBand:
        """The band with the scale and offset of its pixels. RasterError when the item contradicts itself."""
        stated, scale = band.offset, 1e-4 if band.scale is None else band.scale
        if self.removed:
            return replace(band, scale=scale, offset=0.0)
        if self.baseline is None:
            if stated is None:
                warnings.append(
                    f"{source}: declares no processing baseline; from 04.00 on, the values would keep their offset"
                )
            return replace(band, scale=scale, offset=0.0) if band.scale is not None and stated is None else band
        if self.baseline < SHIFTED:
            if stated:
                raise RasterError(
                    f"{source}: asset {key}: found offset {stated:g} and {self.fact}",
                    "no offset before baseline 04.00",
                    "Correct the item",
                )
            return replace(band, scale=scale, offset=0.0)
        if stated == 0 and self.removed is False:
            raise RasterError(
                f"{source}: asset {key}: found offset 0, although the pixels still have their offset",
                "-0.1",
                "Correct the item",
            )
        if stated == 0:
            warnings.append(
                f"{source}: declares offset 0 for {self.fact}, which adds 1000; read as if that were removed already"
            )
        elif self.removed is False:
            # https://github.com/Element84/earth-search/issues/71
            warnings.append(
                f"{source}: declares that the pixels' offset was not removed; for some items of 2022 and 2025 "
                "earth-search declares this wrongly: look for dark pixels below zero"
            )
        return replace(band, scale=scale, offset=-0.1 if stated is None else stated)


def shift_of(described: dict[str, Any], source: str) -> Shift:
    """The shift from an item's properties and id. RasterError for a baseline that is not a number."""
    removed = next((described[key] for key in APPLIED if isinstance(described.get(key), bool)), None)
    key = next((key for key in BASELINES if described.get(key)), "")
    text = str(described.get(key) or "").lstrip("NV")
    if not text:
        products = " ".join(str(described.get(name) or "") for name in ("s2:product_uri", "sentinel:product_id", "id"))
        in_name = re.search(r"_N(\d\d)(\d\d)_", products)
        key, text = "product name", f"{in_name[1]}.{in_name[2]}" if in_name else ""
    try:
        baseline = float(text) if text else None
    except ValueError:
        raise RasterError(f"{source}: found {text!r} for {key}", "a baseline like 05.09") from None
    if removed:
        fact = "the catalogue has removed it: boa_offset_applied"
    else:
        fact = f"baseline {text} from {key}" if text else "no baseline declared"
    return Shift(baseline, removed, fact)
