"""What takes a cube, a window or a name of weights says so where it is given something else."""

import numpy as np
import pytest
import torch
from made_rasters import land, write

from made_weights import of_all_kinds
from spectralgpt.errors import OptionError
from spectralgpt.products import as_pixels, open_raster
from spectralgpt.weights import SpectralGPT, load_model, open_weights

METHODS = {
    "pretraining": ("embed", "features", "present", "reconstruct"),
    "classification": ("predict", "embed"),
    "segmentation": ("predict", "embed"),
    "change": ("predict", "embed"),
}
KINDS_OF_METHODS = [(kind, method) for kind, methods in METHODS.items() for method in methods]


@pytest.fixture(scope="module")
def models():
    return of_all_kinds()


@pytest.fixture(scope="module")
def pixels():
    return as_pixels(land(16, 16, bands=3).astype("u2"), bands="s2-l2a:B2,B3,B4", trust_input=True)


@pytest.mark.parametrize(("kind", "method"), KINDS_OF_METHODS)
def test_no_cube(models, pixels, kind, method):
    for value in (pixels, pixels.values, torch.zeros(1, 3, 16, 16), "scene.tif", None, [pixels]):
        with pytest.raises(OptionError, match=r"cube.*: found .*; expected a cube.*model\.cube\(pixels\)"):
            getattr(models[kind], method)(value)
        with pytest.raises(OptionError, match=r"model\.cube\(pixels\)"):
            getattr(models[kind], method)(cube=value)
    cube = models[kind].cube(pixels)
    getattr(models[kind], method)(*([cube, cube] if (kind, method) == ("change", "predict") else [cube]))


def test_the_second_time_of_a_change(models, pixels):
    cube = models["change"].cube(pixels)
    with pytest.raises(OptionError, match=r"after: found .*Pixels.*; expected a cube"):
        models["change"].predict(cube, after=pixels)


@pytest.mark.parametrize("window", [(0, 0, 64, 64), [0, 0, 8, 8], 5, "all", np.s_[0:8, 0:8]])
def test_no_window(tmp_path, window):
    write(tmp_path / "a.tif", land(16, 16, bands=3).astype("u2"), names=["B02", "B03", "B04"])
    with open_raster(tmp_path / "a.tif", bands="s2-l2a") as raster:
        with pytest.raises(OptionError, match=r"window.*: found .*; expected a Window\(row, column, height, width\)"):
            raster.read(window)
        assert raster.read().shape == raster.read(raster.grid.whole).shape


@pytest.mark.parametrize("name", [5, 1.5, [], {"weights": 1}, True])
@pytest.mark.parametrize("load", [SpectralGPT.from_pretrained, open_weights, load_model])
def test_no_name_of_weights(load, name):
    with pytest.raises(OptionError, match=r"found .*; expected a path"):
        load(name)
