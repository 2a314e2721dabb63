"""What an image is, through the command line."""

import shutil
import subprocess
import sys

import numpy as np
import pytest
import rasterio
from made_rasters import NAMES, land, listing, write
from PIL import Image

KEYS = {"sensor", "level", "bands", "gsd", "dates", "valid", "clouds", "table", "flags", "feeds"}


def test_an_image(scene, spectralgpt):
    ended = spectralgpt("inspect", scene, "--json")
    assert ended.code == 0, ended.err
    report = ended.json
    assert report.keys() >= KEYS
    assert report["source"] == [str(scene)]
    assert (report["sensor"], report["level"], report["dates"]) == ("s2-l1c", "L1C", ["2020-05-01"])
    assert report["bands"] == list(NAMES)
    assert (report["crs"], report["size"]) == ("EPSG:32618", [200, 136])
    assert report["transform"] == [10.0, 0.0, 435730.0, 0.0, -10.0, 4179460.0]
    assert report["gsd"] == pytest.approx(10, rel=0.01)
    assert report["stored"] == "uint16"
    assert set(report["scale"]) == {1e-4}
    assert (report["nodata"], report["clouds"]) == (0.0, None)
    assert report["feeds"][:2] == ["B1 <- B1", "B2 <- B2"]
    assert (len(report["feeds"]), report["dropped"], report["missing"]) == (12, ["B10"], [])
    with rasterio.open(scene) as dataset:
        stored = dataset.read()
    assert report["valid"] == pytest.approx((stored != 0).mean(), abs=0.03)  # two windows, which overlap
    for row, values in zip(report["table"], stored, strict=True):
        assert row["median"] == pytest.approx(np.median(values[values > 0]) / 1e4, rel=0.05), row


def test_the_text_says_the_same(scene, spectralgpt):
    ended = spectralgpt("inspect", scene)
    assert ended.code == 0, ended.err
    for part in (str(scene), "s2-l1c", "L1C", "uint16 x 0.0001 + 0", "2020-05-01", "EPSG:32618", "200 x 136", "864.7"):
        assert part in ended.out, part
    assert "left out   B10" in ended.out


def test_dates_bands_and_other_weights(scene, weights, tmp_path, spectralgpt):
    later = shutil.copy(scene, tmp_path / "scene_2020-06-01.tif")
    ended = spectralgpt("inspect", later, scene, "--bands", "B02,B03,B11", "--weights", weights, "--json")
    assert ended.code == 0, ended.err
    assert ended.json["dates"] == ["2020-05-01", "2020-06-01"]
    assert ended.json["bands"] == ["B2", "B3", "B11"]
    assert ended.json["feeds"] == ["B2 <- B2", "B3 <- B3", "B11 <- B11"]
    assert len(ended.json["missing"]) == 9
    one = spectralgpt("inspect", later, scene, "--dates", "2020-06-01", "--json")
    assert one.json["dates"] == ["2020-06-01"]


def test_what_other_verbs_refuse_is_reported(tmp_path, spectralgpt):
    path = write(tmp_path / "a.tif", land(80, 80), names=NAMES, scales=[1.0] * 13, offsets=[1.0] * 13)
    ended = spectralgpt("inspect", path, "--json")
    assert ended.code == 0, ended.err
    assert ended.json["flags"][0]["kind"] == "units"
    assert "suspected  units: found values" in spectralgpt("inspect", path).out


def test_bands_that_no_model_knows(tmp_path, spectralgpt):
    path = write(tmp_path / "a.tif", land(80, 80, bands=1), names=("B10",))
    ended = spectralgpt("inspect", path, "--bands", "s2-l1c", "--json")
    assert ended.code == 0, ended.err
    assert (ended.json["feeds"], ended.json["dropped"], len(ended.json["missing"])) == ([], ["B10"], 12)
    assert "none of the model's bands" in spectralgpt("inspect", path, "--bands", "s2-l1c").out


def test_without_a_place(tmp_path, spectralgpt):
    path = write(tmp_path / "a.tif", land(80, 80), names=NAMES, crs=None, transform=rasterio.Affine.identity())
    ended = spectralgpt("inspect", path, "--json")
    assert ended.code == 0, ended.err
    assert (ended.json["crs"], ended.json["gsd"], ended.json["dates"]) == (None, None, [""])
    assert "no CRS" in spectralgpt("inspect", path).out


def test_a_picture(scene, tmp_path, spectralgpt):
    target = tmp_path / "look.png"
    ended = spectralgpt("inspect", scene, "--picture", target, "--json")
    assert ended.code == 0, ended.err
    assert ended.json["picture"] == str(target)
    with Image.open(target) as picture:
        assert picture.size == (1870, 572)


@pytest.mark.parametrize("target", ["missing/look.png", "scene_2020-05-01.tif"])
def test_a_picture_that_cannot_be_written(scene, tmp_path, spectralgpt, target):
    before, content = listing(tmp_path), scene.read_bytes()
    ended = spectralgpt("inspect", scene, "--picture", tmp_path / target)
    assert ended.code == 2
    assert "Traceback" not in ended.err
    assert (listing(tmp_path), scene.read_bytes()) == (before, content)


def test_an_image_that_is_not_there_is_no_name_on_the_hub(tmp_path, spectralgpt, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name in ("owner/scene.tif", "scene", "./scene", "a/b/c"):
        ended = spectralgpt("inspect", name)
        assert ended.code == 2
        assert "does not exist" in ended.err, ended.err


@pytest.mark.parametrize("scene", ["demo_scene", pytest.param("large_scene", marks=pytest.mark.long)])
def test_the_demo_scene_in_three_seconds_without_torch(request, scene):
    folder = str(request.getfixturevalue(scene))
    code = (
        "import sys, time; start = time.perf_counter(); from spectralgpt.verbs.inspect import inspect; "
        f"found = inspect({folder!r}); assert 'torch' not in sys.modules; assert not found.flags; "
        "assert found.sensor == 's2-l1c'; print(time.perf_counter() - start)"
    )
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    # the limit is 3 s on a quiet machine
    assert float(ended.stdout) < 9
