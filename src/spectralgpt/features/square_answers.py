"""Answers about whole images, given for the squares of a scene: what a coarse map of classes is made of."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Float32, Float64

from spectralgpt.errors import OptionError, argument
from spectralgpt.raster import Pixels, Raster, Window
from spectralgpt.scenes import AnsweredClasses, Plan, plan_scene

SQUARE_OVERLAP = 0.5
"""Part of its side that a square shares with the next."""

ImagesAsked = Callable[[Sequence[Pixels]], Float32[np.ndarray, "image class"]]
"""Probabilities for images of one shape, independent of each other."""


@dataclass(frozen=True, slots=True, eq=False)
class SquareAnswers:
    """What answers about images, asked about overlapping squares of a scene, each of which is an image of its own.

    A pixel of the map is a quarter of a square; its probabilities are the means of those of the squares that hold it:
    four inside the scene, one in its corners. So a scene that is one square gets the answer for it as an image, in all
    four pixels. Squares end where the scene does. A pixel of the map has an answer where any of its values is valid.
    """

    raster: Raster
    asked: ImagesAsked
    of: AnsweredClasses
    plan: Plan

    @classmethod
    def made(
        cls, raster: Raster, asked: ImagesAsked, classes: AnsweredClasses, *, side: int, batch: int
    ) -> "SquareAnswers":
        """side: of the squares in pixels, rounded up to an even number. OptionError for fewer than 2 pixels."""
        if side < 2:
            raise OptionError(argument("side", side), "2 or more pixels along a square, like the images in training")
        half = -(-side // 2)
        plan = plan_scene(
            *raster.grid.shape, patch=half, side=2 * half, overlap=SQUARE_OVERLAP, batch=batch, reduce=half
        )
        return cls(raster, asked, classes, plan)

    def read(self, windows: Sequence[Window]) -> list[Pixels]:
        """The squares, as far as they lie on the scene."""
        inside = [self.raster.grid.whole.intersection(window) for window in windows]
        return [self.raster.read(window) for window in inside if window is not None]

    def answer(
        self, pixels: list[Pixels]
    ) -> tuple[Float[np.ndarray, "window class row column"], Bool[np.ndarray, "window 1 row column"]]:
        cells = self.plan.side_rows // self.plan.reduce, self.plan.side_columns // self.plan.reduce
        values = np.zeros((len(pixels), len(self.of), *cells), np.float32)
        valid = np.zeros((len(pixels), 1, *cells), bool)
        by_shape: dict[tuple[int, ...], list[int]] = {}
        for index, each in enumerate(pixels):
            valid[index, 0] = self._cells(each, cells)
            if valid[index].any():
                by_shape.setdefault(each.shape, []).append(index)
        for indices in by_shape.values():
            likely = self.asked([pixels[index] for index in indices])
            # a square may have valid values in bands alone that the model does not use
            known = np.asarray(np.isfinite(likely).all(axis=1))
            values[indices] = np.where(known[:, None], likely, 0)[:, :, None, None]
            valid[indices] &= known[:, None, None, None]
        return values, valid

    def probabilities(
        self, blended: Float64[np.ndarray, "class row column"]
    ) -> Float64[np.ndarray, "class row column"]:
        return blended

    def _cells(self, square: Pixels, cells: tuple[int, int]) -> Bool[np.ndarray, "row column"]:
        """Which quarters of a square have a valid value."""
        half, (height, width) = self.plan.reduce, square.shape[2:]
        known = np.zeros((cells[0] * half, cells[1] * half), bool)
        known[:height, :width] = True if square.valid is None else square.valid.any(axis=(0, 1))
        return np.asarray(known.reshape(cells[0], half, cells[1], half).any(axis=(1, 3)))
