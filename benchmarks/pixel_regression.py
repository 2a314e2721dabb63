"""Ways to predict a band from others of the same pixel, fitted on the images that weights were trained on."""

import csv
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from sklearn.ensemble import HistGradientBoostingRegressor
from sklearn.linear_model import LinearRegression

from spectralgpt.bands import canonical
from spectralgpt.errors import InputError
from spectralgpt.products import open_raster
from spectralgpt.raster import Pixels

SAMPLED, SEED = 200_000, 0
"""Pixels that regression and boosting are fitted on, and the seed that draws them."""


def spectra_of(pixels: Pixels, names: Sequence[str]) -> np.ndarray | None:
    """Reflectance of these bands (pixel, band) where all are valid; None where the image has not all of them."""
    index = {canonical(band.name): at for at, band in enumerate(pixels.bands)}
    if not set(names) <= index.keys():
        return None
    chosen = [index[name] for name in names]
    values = pixels.reflectance()[:, chosen]
    valid = np.ones(values.shape, bool) if pixels.valid is None else pixels.valid[:, chosen]
    return np.moveaxis(values, 1, -1)[valid.all(axis=1)]


class Regressor(Protocol):
    def fit(self, visible: np.ndarray, hidden: np.ndarray) -> Any: ...
    def predict(self, visible: np.ndarray) -> np.ndarray: ...


@dataclass(frozen=True, eq=False)
class Fitted:
    """Ways to predict a band from others. visible: names of these; means: of each band in training."""

    names: tuple[str, ...]
    spectra: np.ndarray
    models: dict[tuple[str, str, tuple[str, ...]], Regressor]

    def predicted(self, way: str, band: str, visible: tuple[str, ...], spectra: np.ndarray) -> np.ndarray:
        """Predictions from the visible bands of spectra, each model fitted when it is first asked."""
        column = [self.names.index(name) for name in visible]
        target = self.spectra[:, self.names.index(band)]
        if way == "mean":
            return np.full(len(spectra), target.mean(dtype=np.float64))
        if (way, band, visible) not in self.models:
            new = LinearRegression() if way == "linear" else HistGradientBoostingRegressor(random_state=SEED)
            self.models[way, band, visible] = new.fit(self.spectra[:, column], target)
        return self.models[way, band, visible].predict(spectra[:, column])


def training_spectra(work: Path, level: str, names: Sequence[str]) -> tuple[np.ndarray, int]:
    """Spectra of the images of a level that the weights were trained on, equally many of each image if it has them;
    and the number of images."""
    rows = [row for table in sorted((work / "train").glob("*.csv")) for row in csv.DictReader(table.open())]
    found = []
    for row in rows:
        try:
            with open_raster(row["path"], bands=row["bands"] or None) as raster:
                if raster.sensor.level != level:
                    continue
                spectra = spectra_of(raster.read(), names)
        except InputError as error:
            print(f"left out: {error}", file=sys.stderr)
            continue
        if spectra is not None and len(spectra):
            found.append(spectra)
    if not found:
        raise SystemExit(f"{work / 'train'}: no image of {level} has all of {', '.join(names)}")
    return drawn(found, SAMPLED, SEED), len(found)


def drawn(images: Sequence[np.ndarray], count: int, seed: int) -> np.ndarray:
    """About `count` rows of all images together: equally many of each, or all of an image with fewer."""
    random, each = np.random.default_rng(seed), -(-count // len(images))
    return np.concatenate([
        image if len(image) <= each else image[random.choice(len(image), each, replace=False)] for image in images
    ])  # fmt: skip
