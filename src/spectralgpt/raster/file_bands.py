"""The bands of a raster by file, as reading several bands of a file at once costs little more than one."""

from dataclasses import dataclass
from functools import lru_cache
from itertools import groupby

from spectralgpt.raster.fill import FillRule
from spectralgpt.raster.layer import Layer


@dataclass(frozen=True, slots=True)
class FileBands:
    """Bands of a date that lie in one file, as reading several at once costs little more than one.

    bands: in the raster, and layers: of these. indexes: in the file, from 1. nodata: per turn, of each band. rules: by
    which bands of these, counted from 0, are fill.
    """

    bands: list[int]
    layers: list[Layer]
    indexes: list[int]
    nodata: tuple[tuple[float | None, ...], ...]
    rules: tuple[tuple[FillRule, list[int]], ...]

    @property
    def path(self) -> str:
        return self.layers[0].path

    @property
    def are_adjacent(self) -> bool:
        """Whether the bands follow one another in the raster, too."""
        return self.bands == list(range(self.bands[0], self.bands[0] + len(self.bands)))

    def are_all(self, count: int) -> bool:
        """Whether these are all bands of a date, in order. count: of the date's bands."""
        return self.bands == list(range(count))

    @classmethod
    def of(cls, bands: list[int], layers: list[Layer]) -> "FileBands":
        turns = 1 + max(len(layer.more_nodata) for layer in layers)
        every = [(layer.nodata, *layer.more_nodata, *[None] * turns)[:turns] for layer in layers]
        rules = dict.fromkeys(layer.fill for layer in layers if layer.fill is not None)
        return cls(
            bands=bands,
            layers=layers,
            indexes=[layer.index for layer in layers],
            nodata=tuple(zip(*every, strict=True)),
            rules=tuple((rule, [i for i, layer in enumerate(layers) if layer.fill == rule]) for rule in rules),
        )


@lru_cache(maxsize=64)
def bands_by_file(layers: tuple[Layer, ...]) -> tuple[FileBands, ...]:
    """The bands of each file together."""
    by_file = sorted(range(len(layers)), key=lambda band: (layers[band].path, band))
    groups = [list(bands) for _, bands in groupby(by_file, key=lambda band: layers[band].path)]
    return tuple(FileBands.of(bands, [layers[band] for band in bands]) for bands in groups)
