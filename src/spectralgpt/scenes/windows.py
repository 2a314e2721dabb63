"""Windows of an image as one batch of pixels, and a model's answers for them."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from jaxtyping import Bool, Float, Float64, Int32, Shaped
from numpy.typing import NDArray

from spectralgpt.bands import Alignment, Band, align
from spectralgpt.errors import BandError
from spectralgpt.nn import Precision, Scaling, computing_in
from spectralgpt.raster import Raster, Readable, Window
from spectralgpt.scenes.plan import Plan, plan_scene
from spectralgpt.tasks import Answers
from spectralgpt.weights import PretrainedModel


@dataclass(frozen=True, slots=True, eq=False)
class WindowBatch:
    """Pixels of several windows of one image: the fields of Pixels with a batch axis in front of values and valid."""

    values: Shaped[np.ndarray, "batch date band row column"]
    valid: Bool[np.ndarray, "batch date band row column"] | None
    scale: Float64[np.ndarray, " band"]
    offset: Float64[np.ndarray, " band"]
    bands: tuple[Band, ...]
    days: Int32[np.ndarray, " date"]
    gsd: float

    @property
    def seen(self) -> Bool[np.ndarray, " batch"]:
        """Which windows have a valid pixel."""
        if self.valid is None:
            return np.ones(len(self.values), bool)
        seen: Bool[np.ndarray, " batch"] = np.any(self.valid, axis=(1, 2, 3, 4))
        return seen

    def chosen(self, which: Bool[np.ndarray, " batch"]) -> "WindowBatch":
        """Some of the windows."""
        valid = None if self.valid is None else self.valid[which]
        return replace(self, values=self.values[which], valid=None if valid is None or valid.all() else valid)


def spread(some: Shaped[np.ndarray, "chosen *axes"], which: Bool[np.ndarray, " batch"]) -> NDArray[Any]:
    """Arrays of some windows in their places in the batch, and zeros (False) in the others."""
    every = np.zeros((len(which), *some.shape[1:]), some.dtype)
    every[which] = some
    return every


def read_windows(image: Readable, windows: Sequence[Window]) -> WindowBatch:
    """The windows' pixels, not valid beyond the scene. All windows have the same size."""
    dates, bands = image.shape[:2]
    shape = (len(windows), dates, bands, *windows[0].shape)
    values, valid = np.zeros(shape, image.dtype), np.zeros(shape, bool)
    for index, window in enumerate(windows):
        inside = image.grid.whole.intersection(window)
        assert inside is not None, "a window of the plan lies on the scene"
        pixels = image.read(inside)
        rows, columns = inside.seen_from(window).slices
        values[index, :, :, rows, columns] = pixels.values
        valid[index, :, :, rows, columns] = True if pixels.valid is None else pixels.valid
    return WindowBatch(
        values=values,
        valid=None if valid.all() else valid,
        scale=np.array(image.scale, np.float64),
        offset=np.array(image.offset, np.float64),
        bands=image.bands,
        days=np.array(image.days, np.int32),
        gsd=image.gsd,
    )


def scene_alignment(image: Readable, model: PretrainedModel, own: bool) -> Alignment:
    """How the scene's bands become the model's. BandError, naming a raster's file, when the model recognizes none."""
    try:
        return align(image.bands, model.config.bands, own=own)
    except BandError as error:
        if isinstance(image, Raster):
            raise error.about(str(image.paths[0])) from None
        raise


def windows_plan(
    image: Readable, model: PretrainedModel, alignment: Alignment, *, overlap: float, batch: int, reduce: int = 1
) -> Plan:
    """The plan of a scene for the windows that fit the model, with these bands and all dates (plan_scene)."""
    return plan_scene(
        *image.grid.shape,
        patch=model.config.patch,
        side=model.config.window(len(alignment.bandset.groups), image.shape[0]),
        overlap=overlap,
        batch=batch,
        reduce=reduce,
    )


def scene_scaling(image: Readable, model: PretrainedModel, alignment: Alignment, own: bool) -> Scaling | None:
    """The scaling by the extremes of the whole image, if the model uses those; else None, as scaling is then fixed."""
    kind = model.normalization.kind_for(max(image.grid.shape), model.config.image, reconstructing=False)
    # only small images are scaled in this way, so reading one whole is cheap
    return model.cube(image.read(), own=own, alignment=alignment).scaling if kind == "min_max" else None


@dataclass(frozen=True, slots=True, eq=False)
class Answering:
    """How a model answers for the windows of an image.

    image_side: the longer side of the image, pixels. scaling: by the extremes of the whole image (`scene_scaling`).
    share: add the valid share of each place (Cube.valid_share) as a last channel, for answers of one per place.

    Windows without a valid pixel have no answer, and are not computed: the model sees the others of a batch alone.
    """

    model: PretrainedModel
    answers: Answers
    alignment: Alignment
    scaling: Scaling | None
    image_side: int
    own: bool
    precision: Precision
    share: bool = False

    def of(
        self, pixels: WindowBatch
    ) -> tuple[Float[np.ndarray, "window channel row column"], Bool[np.ndarray, "window #channel row column"]]:
        """Values to be blended, and which are valid."""
        seen = pixels.seen
        if seen.all():
            return self._computed(pixels)
        # of none one is computed, as the number of channels is the answers' own
        some = seen if seen.any() else np.arange(len(seen)) == 0
        values, valid = self._computed(pixels.chosen(some))
        return spread(values, some), spread(valid, some)

    def _computed(
        self, pixels: WindowBatch
    ) -> tuple[Float[np.ndarray, "window channel row column"], Bool[np.ndarray, "window #channel row column"]]:
        with torch.inference_mode(), computing_in(self.precision, self.model.device):
            cube = self.model.cube(
                pixels, own=self.own, alignment=self.alignment, image_side=self.image_side, scaling=self.scaling
            )
            values, valid = self.answers.answer(self.model, cube)
            if self.share:
                values = torch.cat([values.float(), cube.valid_share(self.model.config.patch)[:, None]], dim=1)
                if valid.shape[1] > 1:
                    valid = torch.cat([valid, valid.any(dim=1, keepdim=True)], dim=1)
        return values.float().cpu().numpy(), valid.cpu().numpy()
