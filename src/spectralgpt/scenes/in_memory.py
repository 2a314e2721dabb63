"""A model's answers for an image of any size, in memory: the windows and blending of maps, without a file."""

import numpy as np
from jaxtyping import Bool, Float32

from spectralgpt.allocation import keep_freed_memory
from spectralgpt.nn import Precision
from spectralgpt.raster import Readable
from spectralgpt.scenes.blend import Blender
from spectralgpt.scenes.finite import check_finite_answers
from spectralgpt.scenes.windows import Answering, read_windows, scene_alignment, scene_scaling, windows_plan
from spectralgpt.tasks import Answers
from spectralgpt.weights import PretrainedModel


def tiled(
    image: Readable,
    model: PretrainedModel,
    answers: Answers,
    *,
    overlap: float = 0.25,
    batch: int = 8,
    own: bool = False,
    precision: Precision = "auto",
) -> tuple[Float32[np.ndarray, "channel row column"], Bool[np.ndarray, "#channel row column"]]:
    """Blended answers (embeddings, logits) of a whole image, 0 where not valid, and which are valid.

    They are equal to the last bit to the float32 values of the map that `map_scene` makes of the image with the same
    overlap and batch. Rows and columns are those of the map: ceil(height / answers.reduce), likewise the width. Raises
    BandError when the model recognizes none of the bands, OptionError for too many dates, WeightsError for answers that
    are not finite where they should be valid.
    """
    keep_freed_memory()
    alignment = scene_alignment(image, model, own)
    plan = windows_plan(image, model, alignment, overlap=overlap, batch=batch, reduce=answers.reduce)
    scaling = scene_scaling(image, model, alignment, own)
    answering = Answering(model, answers, alignment, scaling, max(image.grid.shape), own, precision)
    blender = Blender(plan)
    values: np.ndarray | None = None
    valid: np.ndarray | None = None
    for row in range(len(plan.rows)):
        for group in plan.groups(row):
            given, known = answering.of(read_windows(image, group))
            check_finite_answers(given, known)
            if values is None or valid is None:
                values = np.empty((given.shape[1], *plan.output_shape), np.float32)
                valid = np.empty((known.shape[1], *plan.output_shape), bool)
            for index in range(len(group)):
                piece, blended, there = blender.add(given[index], known[index])
                rows, columns = piece.slices
                values[:, rows, columns] = blended
                # one channel where it is the same for all
                valid[:, rows, columns] = there[: len(valid)]
    assert values is not None, "a plan has a window"
    assert valid is not None, "a plan has a window"
    return values, valid
