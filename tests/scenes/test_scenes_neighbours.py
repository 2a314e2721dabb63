"""Two overlapping tiles of one scene: where the same windows see the same pixels, their maps agree.

Windows start at a tile's first row and column, so they are the same where tiles are apart by whole strides.
"""

from dataclasses import replace

import numpy as np
import pytest
import torch
from made_rasters import NAMES, land, write

from spectralgpt.bands import BandSet, sensor
from spectralgpt.nn import BandStatistics, DenseConfig, ModelConfig, Normalization, Size
from spectralgpt.products import open_raster
from spectralgpt.raster import Raster, Window
from spectralgpt.scenes import plan_scene, tiled
from spectralgpt.tasks import Class, Embeddings
from spectralgpt.weights import Segmenter, SpectralGPT

CONFIG = ModelConfig(Size(48, 2, 4, 32, 1, 4), BandSet.native(sensor("spectralgpt-12").bands))
UNITS = Normalization("standard", tuple(BandStatistics(band, 2.0, 1.0) for band in sensor("s2-l1c").bands))
SMALL = {"widths": (64, 64, 64, 64), "levels": (16, 32, 48), "channels": 32}
SIDE, STRIDE, TILE = 128, 96, 320
"""Of a window, from one to the next, and of a tile: pixels."""


@pytest.fixture(scope="module", params=["made", "real"])
def scene(request, demo_scene, tmp_path_factory) -> Raster:
    if request.param == "real":
        path = demo_scene
    else:
        path = write(tmp_path_factory.mktemp("made") / "scene.tif", land(436, 436), names=NAMES)
    with open_raster(path, bands="s2-l1c") as raster:
        yield raster


def tile(scene: Raster, row: int, column: int) -> Raster:
    return replace(scene, grid=scene.grid.window(Window(row, column, TILE, TILE)))


def covering(row: int, column: int) -> np.ndarray:
    """Which windows cover each pixel of the scene, of a tile there: a bit for each of the scene's places of windows."""
    plan = plan_scene(TILE, TILE, patch=8, side=SIDE, overlap=0.25, batch=8)
    assert plan.rows == plan.columns == (0, 96, 192)
    found = np.zeros((436, 436), object)
    for window in (each for at in range(len(plan.rows)) for group in plan.groups(at) for each in group):
        top, left = window.row + row, window.column + column
        found[top : top + SIDE, left : left + SIDE] |= 1 << (top * 436 + left)
    return found


def both(values: tuple[np.ndarray, np.ndarray], row: int, column: int, reduce: int):
    """The values of two tiles, the first at 0, 0, where both cover the scene; and where the same windows gave them."""
    first, second = values
    rows, columns = (TILE - row) // reduce, (TILE - column) // reduce
    first = first[..., row // reduce :, column // reduce :]
    second = second[..., :rows, :columns]
    same = covering(0, 0) == covering(row, column)
    return first, second, same[row:TILE:reduce, column:TILE:reduce]


@pytest.fixture(scope="module")
def model() -> SpectralGPT:
    torch.manual_seed(0)
    return SpectralGPT(CONFIG, UNITS).eval()


def embedded(scene: Raster, model: SpectralGPT, row: int, column: int, **how):
    return tiled(tile(scene, row, column), model, Embeddings.of(model), precision="fp32", overlap=0.25, **how)[0]


@pytest.fixture(scope="module")
def first_tile(scene, model) -> np.ndarray:
    return embedded(scene, model, 0, 0)


@pytest.mark.parametrize(("row", "column"), [(0, STRIDE), (STRIDE, STRIDE)])
def test_embeddings_agree_where_the_windows_are_the_same(scene, model, first_tile, row, column):
    # other groups: a window's neighbours in its batch must not matter
    first, second, same = both((first_tile, embedded(scene, model, row, column, batch=2)), row, column, 8)
    assert same.sum() >= 20 * 20
    assert np.abs(first - second)[:, same].max() < 1e-5 * np.abs(first).max()
    assert np.abs(first - second)[:, ~same].max() > 1e-3 * np.abs(first).max(), "elsewhere windows see other pixels"


def test_classes_agree_where_the_windows_are_the_same(scene):
    torch.manual_seed(0)
    classes = (Class("water", "#0000ff"), Class("land", "#00ff00"), Class("snow"))
    segmenter = Segmenter(CONFIG, DenseConfig(3, **SMALL), UNITS, classes=classes).eval()
    answers = segmenter.task.answers(segmenter)
    values = tuple(
        tiled(tile(scene, at, at), segmenter, answers, precision="fp32", overlap=0.25)[0] for at in (0, STRIDE)
    )
    first, second, same = both(values, STRIDE, STRIDE, 1)
    decided = np.diff(np.sort(first, axis=0)[-2:], axis=0)[0] > 1e-5
    assert decided.mean() > 0.99
    assert same.sum() == 160**2
    found, other = first.argmax(axis=0), second.argmax(axis=0)
    assert np.array_equal(found[same & decided], other[same & decided])
    assert len(np.unique(found[same])) > 1


def test_other_offsets_promise_nothing(scene, model, first_tile):
    """The windows of the second tile begin elsewhere: they see other surroundings of the same places."""
    first, second, same = both((first_tile, embedded(scene, model, 40, 40)), 40, 40, 8)
    assert not same.any()
    assert np.abs(first - second).max() > 1e-3 * np.abs(first).max()


def test_scaling_by_the_image_promises_nothing(scene, request):
    """min_max takes the extremes of each tile."""
    if request.node.callspec.params["scene"] == "made":
        pytest.skip("its tiles have the same extremes")
    torch.manual_seed(0)
    model = SpectralGPT(replace(CONFIG, image=TILE), replace(UNITS, kind="min_max")).eval()
    first, second, same = both((embedded(scene, model, 0, 0), embedded(scene, model, 0, STRIDE)), 0, STRIDE, 8)
    assert np.abs(first - second)[:, same].max() > 1e-3 * np.abs(first).max()
