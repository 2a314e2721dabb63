"""The sensor of a STAC item, from its satellite, level and collection."""

import re
from collections.abc import Sequence
from typing import Any

from spectralgpt.errors import RasterError


def sensor_of(described: dict[str, Any], source: str) -> tuple[str | None, tuple[str, ...]]:
    """An item's sensor, or its satellite's name where no sensor is known, or None; and where it is stated."""

    def text(*keys: str) -> str:
        return " ".join(str(described.get(key) or "") for key in keys)

    harmonized = re.search(r"hls2?[-._]?([ls])30", text("collection", "id"), re.IGNORECASE)
    if harmonized:
        return f"hls-{harmonized[1].lower()}30", (f"sensor from {harmonized[0]}",)
    satellite = text("platform", "eo:platform").strip()
    if re.search(r"sentinel[-_ ]?(s?2)|^s2", text("platform", "constellation", "collection"), re.IGNORECASE):
        level = _level(
            described,
            r"(?:L|MSI|level-?)(1C|2A)",
            ("s2:product_type", "sentinel:product_type", "processing:level", "collection", "s2:product_uri"),
            r"L(1C|2A)(?![A-Z0-9])",
            source,
        )
        return (f"s2-l{level[0].lower()}", (f"sensor from {level[1]}",)) if level else (None, ())
    landsat = re.search(r"landsat[-_ ]?(\d)", satellite, re.IGNORECASE)
    if landsat and not re.search(r"\bMSS\b|^LM", text("id", "instruments", "eo:instrument")):
        level = _level(described, r"^L(\d)", ("landsat:correction",), r"_L(\d)[A-Z]{2}_", source)
        family = {"4": 5, "5": 5, "7": 7, "8": 8, "9": 8}.get(landsat[1])
        if family is None:
            return satellite.lower(), (f"satellite {satellite}",)
        if level is None:
            return None, ()
        number = str(described.get("landsat:collection_number") or "")
        first = number.lstrip("0") == "1"
        what = "l1" if level[0] == "1" else "c1sr" if first else "c2l2"
        return f"landsat{family}-{what}", (f"sensor from {satellite} and {level[1]}",)
    return (satellite.lower(), (f"satellite {satellite}",)) if satellite else (None, ())


def _level(
    described: dict[str, Any], pattern: str, keys: Sequence[str], in_id: str, source: str
) -> tuple[str, str] | None:
    """The processing level and where it is stated. RasterError when two places differ."""
    found = {}
    for key in (*keys, "id"):
        match = re.search(in_id if key == "id" else pattern, str(described.get(key) or ""), re.IGNORECASE)
        if match:
            found[key] = match[1].upper()
    if len(set(found.values())) > 1:
        places = ", ".join(f"{level} in {key}" for key, level in found.items())
        raise RasterError(f"{source}: found two processing levels ({places})", "one", "Correct the item")
    return next(((level, f"{key} {described[key]}") for key, level in found.items()), None)
