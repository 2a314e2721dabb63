"""The argument `nodata`: which stored values mean that nothing was measured, where the file does not declare it."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

from spectralgpt.errors import OptionError, argument
from spectralgpt.raster.layer import Layer
from spectralgpt.raster.pixels import can_hold


@dataclass(frozen=True, slots=True)
class GivenNodata:
    """values: stored values of pixels without data. declared: whether what the file declares counts as well. text: as
    the user gave it."""

    values: tuple[float, ...] = ()
    declared: bool = True
    text: str = ""

    def applied(self, layer: Layer) -> Layer:
        """The layer with these values; those that its type cannot hold never occur and are left out."""
        own = [layer.nodata] if self.declared and layer.nodata is not None else []
        every = list(dict.fromkeys([*own, *(value for value in self.values if can_hold(layer.dtype, value))]))
        return replace(layer, nodata=every[0] if every else None, more_nodata=tuple(every[1:]))

    def warnings(self, path: str, layers: Sequence[Layer]) -> tuple[str, ...]:
        """A line on values that none of an image's bands can hold."""
        dtypes = sorted({layer.dtype for layer in layers})
        never = [value for value in self.values if not any(can_hold(dtype, value) for dtype in dtypes)]
        if not never:
            return ()
        return (f"{path}: nodata {', '.join(f'{value:g}' for value in never)} cannot occur in {', '.join(dtypes)}",)


def given_nodata(text: str | float | int | None) -> GivenNodata:
    """What the argument `nodata` says: a stored value, several separated by commas, or none, which ignores what the
    file declares. OptionError for anything else."""
    if text is None:
        return GivenNodata()
    words = [word.strip() for word in str(text).split(",")]
    try:
        values = tuple(float(word) for word in words if word.lower() != "none")
    except ValueError:
        raise OptionError(argument("nodata", text), "stored values like 0 or 0,-9999, or none") from None
    # not a number is never valid, whatever is given
    values = tuple(value for value in dict.fromkeys(values) if not math.isnan(value))
    return GivenNodata(values, "none" not in map(str.lower, words), ",".join(words))
