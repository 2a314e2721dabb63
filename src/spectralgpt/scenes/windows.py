"""Windows of a raster as one batch of pixels."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float64, Int32, Shaped

from spectralgpt.bands import Alignment, Band, align
from spectralgpt.errors import BandError
from spectralgpt.nn import Scaling
from spectralgpt.raster import Raster, Window
from spectralgpt.scenes.plan import Plan, plan_scene
from spectralgpt.weights import PretrainedModel


@dataclass(frozen=True, slots=True, eq=False)
class WindowBatch:
    """Pixels of several windows of one raster: the fields of Pixels with a batch axis in front of values and valid."""

    values: Shaped[np.ndarray, "batch date band row column"]
    valid: Bool[np.ndarray, "batch date band row column"] | None
    scale: Float64[np.ndarray, " band"]
    offset: Float64[np.ndarray, " band"]
    bands: tuple[Band, ...]
    days: Int32[np.ndarray, " date"]
    gsd: float


def read_windows(raster: Raster, windows: Sequence[Window]) -> WindowBatch:
    """The windows' pixels, not valid beyond the scene. All windows have the same size."""
    dates, bands = raster.shape[:2]
    shape = (len(windows), dates, bands, *windows[0].shape)
    values, valid = np.zeros(shape, raster.dtype), np.zeros(shape, bool)
    for index, window in enumerate(windows):
        inside = raster.grid.whole.intersection(window)
        assert inside is not None, "a window of the plan lies on the scene"
        pixels = raster.read(inside)
        rows, columns = inside.seen_from(window).slices
        values[index, :, :, rows, columns] = pixels.values
        valid[index, :, :, rows, columns] = True if pixels.valid is None else pixels.valid
    return WindowBatch(
        values=values,
        valid=None if valid.all() else valid,
        scale=np.array(raster.scale, np.float64),
        offset=np.array(raster.offset, np.float64),
        bands=raster.bands,
        days=np.array(raster.days, np.int32),
        gsd=raster.gsd,
    )


def scene_alignment(raster: Raster, model: PretrainedModel, own: bool) -> Alignment:
    """How the scene's bands become the model's. BandError, naming the file, when the model recognizes none of them."""
    try:
        return align(raster.bands, model.config.bands, own=own)
    except BandError as error:
        raise error.about(str(raster.paths[0])) from None


def windows_plan(
    raster: Raster, model: PretrainedModel, alignment: Alignment, *, overlap: float, batch: int, reduce: int = 1
) -> Plan:
    """The plan of a scene for the windows that fit the model, with these bands and all dates (plan_scene)."""
    return plan_scene(
        *raster.grid.shape,
        patch=model.config.patch,
        side=model.config.window(len(alignment.bandset.groups), raster.shape[0]),
        overlap=overlap,
        batch=batch,
        reduce=reduce,
    )


def scene_scaling(raster: Raster, model: PretrainedModel, alignment: Alignment, own: bool) -> Scaling | None:
    """The scaling by the extremes of the whole image, if the model uses those; else None, as scaling is then fixed."""
    kind = model.normalization.kind_for(max(raster.grid.shape), model.config.image, reconstructing=False)
    # only small images are scaled in this way, so reading one whole is cheap
    return model.cube(raster.read(), own=own, alignment=alignment).scaling if kind == "min_max" else None
