"""An image outside what the weights were trained on gets one line, and others none."""

import json
from pathlib import Path

import numpy as np
import pytest
import rasterio
from affine import Affine
from made_rasters import NAMES, land, write

from made_labelled import QUICK, SENSOR, class_folders
from spectralgpt import embed, open_raster
from spectralgpt.weights import SpectralGPT, TrainedDomain

COUNTS = {"water": 4, "forest": 4}
OUTSIDE = "outside what the weights were trained on"
DOMAINS = {
    "inside": TrainedDomain((("s2-l1c", ("B2",)), ("s2-l2a", ("B2",))), (10.0, 20.0)),
    "other level": TrainedDomain((("s2-l2a", ("B2", "B3")),), (10.0, 10.0)),
    "other sizes": TrainedDomain((("s2-l1c", ("B2",)),), (30.0, 60.0)),
    "both": TrainedDomain((("landsat8-c2l2", ("B4",)),), (30.0, 30.0), 2),
    "no record": None,
}
FOUND = {"other level": "s2-l1c", "other sizes": "10 m per pixel", "both": "s2-l1c, 10 m per pixel"}


@pytest.fixture
def trained(weights, tmp_path):
    """The same weights, trained on a domain."""

    def of(name: str) -> Path:
        model, domain = SpectralGPT.from_pretrained(weights), DOMAINS[name]
        model.provenance = {**model.provenance, **(domain.entries() if domain else {})}
        model.save_pretrained(tmp_path / name)
        assert model.fingerprint() == SpectralGPT.from_pretrained(weights).fingerprint()
        return tmp_path / name

    return of


def warned(err: str) -> list[str]:
    return [line for line in err.splitlines() if OUTSIDE in line]


@pytest.mark.parametrize("name", DOMAINS)
@pytest.mark.parametrize(("verb", "target"), [("embed", "map.tif"), ("embed", "table.csv"), ("reconstruct", "out.tif")])
def test_a_scene(trained, scene, tmp_path, spectralgpt, name, verb, target):
    ended = spectralgpt(verb, scene, tmp_path / target, "--weights", trained(name), "--json")
    assert ended.code == 0, ended.err
    lines = warned(ended.err)
    assert len(lines) == (name in FOUND)
    if lines:
        assert lines[0].startswith(f"warning: {scene}: is {OUTSIDE} (")
        assert lines[0].endswith(f": {FOUND[name]}")
        assert [line for line in ended.json["warnings"] if OUTSIDE in line] == [lines[0].removeprefix("warning: ")]
    if target.endswith(".tif"):
        with rasterio.open(tmp_path / target) as dataset:
            assert (OUTSIDE in "".join(dataset.tags().values())) is (name in FOUND)


def test_gsd_is_that_of_reading(trained, scene, tmp_path, spectralgpt):
    weights = trained("other sizes")
    for gsd, lines in ((10, 1), (19, 1), (20, 0), (30, 0)):
        ended = spectralgpt("embed", scene, tmp_path / f"{gsd}.tif", "--weights", weights, "--gsd", gsd)
        assert len(warned(ended.err)) == lines, gsd


def test_a_table_of_many_images_gets_one_line(trained, tmp_path, spectralgpt):
    (tmp_path / "in").mkdir()
    for number in range(4):
        write(tmp_path / "in" / f"{number}.tif", land(32, 32, number), names=NAMES)
    ended = spectralgpt("embed", tmp_path / "in", tmp_path / "t.csv", "--bands", SENSOR, "--weights", trained("both"))
    assert ended.code == 0, ended.err
    (line,) = warned(ended.err)
    assert line.endswith("(and 3 like it)")


@pytest.mark.parametrize("name", DOMAINS)
def test_labelled_images(trained, tmp_path, spectralgpt, name):
    folder, report = class_folders(tmp_path / "land", COUNTS), tmp_path / "report"
    weights = trained(name)
    ended = spectralgpt("probe", folder, "--bands", SENSOR, *QUICK, "--weights", weights, "--out", report)
    assert ended.code == 0, ended.err
    again = spectralgpt("evaluate", folder, "--bands", SENSOR, "--weights", report)
    assert again.code == 0, again.err
    for err in (ended.err, again.err):
        lines = warned(err)
        assert len(lines) == (name in FOUND)
        if lines:
            assert lines[0].startswith(f"warning: {folder}: 8 of 8 images are {OUTSIDE} (")
            assert lines[0].endswith(f": {FOUND[name].replace('10 m', '9.98 m')}") or lines[0].endswith(FOUND[name])
    assert (OUTSIDE in (report / "report.html").read_text()) is (name in FOUND)


@pytest.mark.parametrize("name", DOMAINS)
def test_inspect_shows_it(trained, spectralgpt, name):
    weights, domain = trained(name), DOMAINS[name]
    text = spectralgpt("inspect", weights).out
    assert ("domain:" in text) is (domain is not None)
    assert domain is None or str(domain) in text
    kept = json.loads((weights / "config.json").read_text())["provenance"].get("trained")
    assert (kept is None) is (domain is None)


@pytest.mark.parametrize("name", ["inside", "other level", "no record"])
def test_pixels_in_python(trained, scene, tmp_path, name):
    with open_raster(scene) as raster:
        pixels = raster.read()
    found = embed(pixels, tmp_path / "o.tif", weights=trained(name))
    assert len([line for line in found.warnings if OUTSIDE in line]) == (name in FOUND)


# -- a probe has a domain of its own -----------------------------------------------------------------------------------


def test_a_probe_warns_of_images_unlike_those_that_it_was_fitted_to(weights, tmp_path, spectralgpt):
    images = class_folders(tmp_path / "land", COUNTS)
    probe = tmp_path / "probe"
    ended = spectralgpt("probe", images, "--bands", SENSOR, "--weights", weights, *QUICK, "--out", probe)
    assert ended.code == 0, ended.err
    recorded = json.loads((probe / "probe.json").read_text())["fitted_on"]
    assert recorded["sensors"] == [[SENSOR, [name for name in NAMES if name != "B10"]]]
    assert recorded["gsd"] == pytest.approx([10, 10], rel=0.01)
    outside = "outside what the probe was fitted to"
    coarse = Affine(30.0, 0.0, 435730.0, 0.0, -30.0, 4179460.0)
    scenes = {
        "alike": (write(tmp_path / "alike.tif", land(64, 64), names=NAMES), 0),
        "coarse": (write(tmp_path / "coarse.tif", land(64, 64), names=NAMES, transform=coarse), 1),
    }
    for name, (scene, lines) in scenes.items():
        ended = spectralgpt("predict", scene, tmp_path / f"{name}-map.tif", "--weights", probe, "--trust-input")
        assert ended.code == 0, ended.err
        found = [line for line in ended.err.splitlines() if outside in line]
        assert len(found) == lines, name
        if lines:
            assert found[0].startswith(f"warning: {scene}: is {outside} ({SENSOR}; ")
    few = write(tmp_path / "few.tif", np.delete(land(64, 64), 1, axis=0), names=(NAMES[0], *NAMES[2:]))
    ended = spectralgpt("predict", few, tmp_path / "few-map.tif", "--weights", probe, "--bands", SENSOR, "--json")
    assert ended.code == 0, ended.err
    lacks = [line for line in ended.json["warnings"] if "lacks bands" in line]
    assert lacks == [f"{few}: lacks bands of the images that the probe was fitted to: {NAMES[1]}"]
    assert outside not in spectralgpt("evaluate", images, "--bands", SENSOR, "--weights", probe).err
    description = json.loads((probe / "probe.json").read_text())
    del description["fitted_on"]  # a probe of an earlier version
    (probe / "probe.json").write_text(json.dumps(description))
    ended = spectralgpt("predict", scenes["coarse"][0], tmp_path / "old.tif", "--weights", probe, "--trust-input")
    assert ended.code == 0
    assert outside not in ended.err
