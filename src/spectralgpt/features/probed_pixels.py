"""Answers of a probe about the pixels of a scene, window by window."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Bool, Float, Float32, Float64

from spectralgpt.features.pixels import PlaceMaps, joined_features, spectra, with_features
from spectralgpt.features.probe import Probe
from spectralgpt.raster import OneDate, Pixels, Raster, Window
from spectralgpt.scenes import AnsweredClasses, Plan
from spectralgpt.scenes.windows import (
    Answering,
    WindowBatch,
    read_windows,
    scene_alignment,
    scene_scaling,
    windows_plan,
)
from spectralgpt.tasks import Embeddings


@dataclass(frozen=True, slots=True, eq=False)
class ProbedPixels:
    """A probe of masks or of changes, asked about the windows of a scene; probabilities are blended where windows
    overlap. For changes the scene has two dates, before and after.

    The features are those of PixelFeatures, with the vectors of places of one window: the answers for a scene that is
    one window are those of `Probe.probabilities`, to the bit.
    """

    raster: Raster
    probe: Probe
    dates: tuple[Answering, ...]
    plan: Plan
    of: AnsweredClasses

    @classmethod
    def made(cls, raster: Raster, probe: Probe, *, overlap: float, batch: int) -> "ProbedPixels":
        """For a scene. BandError where the model recognizes none of its bands."""
        model, own, precision = probe.model, probe.own, probe.description.precision
        alignment = scene_alignment(raster, model, own)
        days = [OneDate(raster, date) for date in range(raster.shape[0])]
        answers, side = Embeddings.of(model), max(raster.grid.shape)
        dates = [
            Answering(model, answers, alignment, scene_scaling(day, model, alignment, own), side, own, precision)
            for day in days
        ]
        plan = windows_plan(days[0], model, alignment, overlap=overlap, batch=batch)
        description = probe.description
        return cls(raster, probe, tuple(dates), plan, AnsweredClasses(probe.classes, thresholds=description.thresholds))

    def read(self, windows: Sequence[Window]) -> WindowBatch:
        return read_windows(self.raster, windows)

    def answer(
        self, pixels: WindowBatch
    ) -> tuple[Float[np.ndarray, "window class row column"], Bool[np.ndarray, "window 1 row column"]]:
        vectors, known = [], []
        for date, answering in enumerate(self.dates):
            values, valid = answering.of(_of_date(pixels, date))
            vectors.append(values.transpose(0, 2, 3, 1))
            known.append(valid[:, 0])
        maps = [PlaceMaps(*each) for each in zip(np.stack(vectors, 1), np.stack(known, 1), strict=True)]
        found = [self._window(_window_of(pixels, index, self.raster), each) for index, each in enumerate(maps)]
        return np.stack([likely for likely, _ in found]), np.stack([valid[None] for _, valid in found])

    def probabilities(
        self, blended: Float64[np.ndarray, "class row column"]
    ) -> Float64[np.ndarray, "class row column"]:
        return blended

    def _window(
        self, pixels: Pixels, maps: PlaceMaps
    ) -> tuple[Float32[np.ndarray, "class row column"], Bool[np.ndarray, "row column"]]:
        """Probabilities of the pixels of one window, and where there are any."""
        config, target = self.probe.model.config, self.probe.description.target
        values, valid_dates = spectra(pixels, config.bands, self.probe.own)
        valid = with_features(target, valid_dates)
        likely = np.zeros((*valid.shape, len(self.of)), np.float32)
        if valid.any():
            features = joined_features(target, maps, config.patch, values, valid_dates, Window(0, 0, *valid.shape))
            likely[valid] = self.probe.fitted.probabilities(features[valid])
        return likely.transpose(2, 0, 1), valid


def _of_date(pixels: WindowBatch, date: int) -> WindowBatch:
    one = slice(date, date + 1)
    valid = None if pixels.valid is None else pixels.valid[:, one]
    if valid is not None and valid.all():
        valid = None  # as a batch of this date alone is read
    return replace(pixels, values=pixels.values[:, one], valid=valid, days=pixels.days[one])


def _window_of(pixels: WindowBatch, index: int, raster: Raster) -> Pixels:
    return Pixels(
        values=pixels.values[index],
        valid=None if pixels.valid is None else pixels.valid[index],
        scale=pixels.scale,
        offset=pixels.offset,
        bands=pixels.bands,
        grid=raster.grid.window(Window(0, 0, *pixels.values.shape[-2:])),
        days=pixels.days,
        gsd=pixels.gsd,
    )
