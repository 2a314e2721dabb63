"""Labels of pixels that were not measured are left out, for every method alike."""

import numpy as np
import pytest
from affine import Affine

from spectralgpt.bands import sensor
from spectralgpt.data.labels import LabelledImage, LabelledSample, LabelledSet, MeasuredLabels
from spectralgpt.raster import Grid, Pixels
from spectralgpt.tasks import Class

BANDS = sensor("s2-l2a").bands[:2]


class OneSample:
    """A set of one sample."""

    source, notes = "made", ()
    classes = (Class("no"), Class("yes"))
    samples = (LabelledSample("one"),)

    def __init__(self, valid, mask, target):
        dates, bands, height, width = valid.shape
        self.target = target
        grid = Grid(None, Affine.identity(), height, width)
        values, ones = np.ones(valid.shape, np.uint16), np.ones(bands)
        pixels = Pixels(values, valid, ones, 0 * ones, BANDS, grid, np.full(dates, -1, np.int32), 10.0)
        self.image = LabelledImage(pixels, mask)

    def read(self, index):
        return self.image


@pytest.mark.parametrize(("target", "kept"), [("mask", [[1, 1], [0, -1]]), ("change", [[1, -1], [0, -1]])])
def test_a_pixel_needs_a_valid_band_and_of_a_pair_at_both_dates(target, kept):
    valid = np.ones((2, 2, 2, 2), bool)
    valid[:, 0, 0, 0] = False  # one of two bands
    valid[0, :, 0, 1] = False  # one of two dates
    valid[:, :, 1, 1] = False  # everything
    found = MeasuredLabels(OneSample(valid, np.array([[1, 1], [0, 1]], np.int16), target))
    assert isinstance(found, LabelledSet)
    assert found.read(0).mask.tolist() == kept
    assert found.dropped == (4, sum(label < 0 for row in kept for label in row))


def test_an_image_without_holes_keeps_its_labels_and_ignored_pixels_do_not_count():
    mask = np.array([[1, -1], [0, -1]], np.int16)
    whole = OneSample(np.ones((1, 2, 2, 2), bool), mask, "mask")
    found = MeasuredLabels(whole)
    assert found.dropped == (0, 0)
    assert found.read(0) is whole.image
    assert found.dropped == (2, 0)
    hole = np.ones((1, 2, 2, 2), bool)
    hole[..., 1] = False
    assert MeasuredLabels(OneSample(hole, mask, "mask")).read(0).mask.tolist() == mask.tolist()
