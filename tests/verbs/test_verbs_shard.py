"""`spectralgpt shard`: images in, shards out."""

import shutil
from pathlib import Path

import numpy as np
import pytest
import rasterio
from made_rasters import NAMES, land, write
from real_rasters import IMAGES, real

import spectralgpt as package
from spectralgpt.data.shards import open_shards
from spectralgpt.verbs.shard import grouped


@pytest.fixture
def images(tmp_path) -> Path:
    for number in range(3):
        path = tmp_path / "images" / f"{number}.tif"
        path.parent.mkdir(exist_ok=True)
        write(path, land(74, 60, number), names=NAMES)
    return tmp_path / "images"


def test_images_become_shards_and_the_result_says_what_is_there(spectralgpt, images, tmp_path):
    out = tmp_path / "out"
    (images / "bad_1.tif").write_bytes(b"none")
    (images / "bad_2.tif").write_bytes(b"none")
    ended = spectralgpt("shard", images, "--out", out, "--chip", "64", "--workers", "1", "--json", "--verify")
    assert ended.code == 0, ended.err
    report = ended.json
    assert (
        report["samples"],
        report["added"],
        report["images"],
        report["known"],
        report["shards"],
        report["verified"],
    ) == (*(6, 6, 5, 0, 1, 1),)
    assert report["folder"] == str(out)
    assert [each["source"] for each in report["failed"]] == ["images/bad_1.tif", "images/bad_2.tif"]
    assert report["layouts"][0] | {"bands": None} == {
        **{"sensor": "s2-l1c", "bands": None, "dtype": "uint16", "dates": 1, "side": 64, "samples": 6},
    }
    assert report["bytes"] == (out / "shard-00000.arrow").stat().st_size
    text = spectralgpt("shard", images, "--out", out, "--chip", "64", "--workers", "1")
    assert f"{out}: 6 samples in 1 shard of" in text.out
    assert "6 x s2-l1c: 13 bands, 64 pixels, 1 date, uint16" in text.out
    assert "added 0 samples; 5 images, 3 of them stored before" in text.out
    assert "not stored: 2" in text.out
    assert "bad_1.tif: cannot be opened" in text.out
    assert "(and 1 like it)" in text.out


def test_a_wish_that_cannot_be_met_is_refused_before_any_work(spectralgpt, images, tmp_path):
    out = tmp_path / "out"
    for words, found in (
        ((), "no sources given; expected images, folders or tables, or --verify to check existing shards."),
        ((images, "--chip", "4"), "--chip 4; expected 8 to"),
        ((images, "--least-valid", "1.5"), "--least-valid 1.5; expected 0 to 1"),
        ((images, "--least-valid", "nan"), "--least-valid nan"),
        ((images, "--workers", "0"), "--workers 0; expected 1 to"),
        ((images, "--most-dates", "0"), "--most-dates 0"),
        ((images, "--shard-size", "0"), "--shard-size 0"),
        ((tmp_path / "nowhere",), "nowhere: does not exist"),
        (("--verify",), "does not exist"),
    ):
        ended = spectralgpt("shard", *words, "--out", out)
        assert ended.code == 2, words
        assert found in ended.err
        assert not out.exists()


def test_nothing_stored_at_all_is_an_error(spectralgpt, tmp_path):
    (tmp_path / "a.tif").write_bytes(b"none")
    ended = spectralgpt("shard", tmp_path / "a.tif", "--out", tmp_path / "out", "--workers", "1")
    assert ended.code == 2
    assert f"out: the only image could not be stored. {tmp_path}/a.tif: cannot be opened as an image" in ended.err


def test_the_reason_is_of_this_run(spectralgpt, tmp_path):
    """The folder also lists a failure of a run before."""
    for name in ("earlier.tif", "now.tif", "now_too.tif"):
        (tmp_path / name).write_bytes(b"none")
    assert spectralgpt("shard", tmp_path / "earlier.tif", "--out", tmp_path / "out", "--workers", "1").code == 2
    now = tmp_path / "now.tif", tmp_path / "now_too.tif"
    ended = spectralgpt("shard", *now, "--out", tmp_path / "out", "--workers", "1")
    assert ended.code == 2
    assert f"none of 2 images could be stored. The first: {tmp_path}/now.tif: " in ended.err


@pytest.mark.parametrize("out", ["a file", "/dev/null"])
def test_a_target_that_is_a_file_is_said(spectralgpt, images, tmp_path, out):
    (tmp_path / "a file").touch()
    ended = spectralgpt("shard", images, "--out", tmp_path / out, "--workers", "1")
    assert ended.code == 2
    assert ended.err == f"{tmp_path / out}: is a file; expected a folder of shards, an empty folder, or a new one.\n"


def test_one_of_a_thing_is_singular(spectralgpt, images, tmp_path):
    text = spectralgpt("shard", images / "0.tif", "--out", tmp_path / "out", "--workers", "1").out
    assert ": 1 sample in 1 shard of" in text
    assert "added 1 sample; 1 image, 0 of them stored before" in text


def test_strict_ends_at_the_first_bad_file(spectralgpt, images, tmp_path):
    (images / "1.tif").write_bytes(b"none")
    ended = spectralgpt("shard", images, "--out", tmp_path / "out", "--strict", "--workers", "1")
    assert ended.code == 2
    assert "1.tif: cannot be opened" in ended.err
    assert open_shards(tmp_path / "out").counts == (1,)


def test_verify_alone_names_what_is_damaged(spectralgpt, images, tmp_path):
    out = tmp_path / "out"
    assert spectralgpt("shard", images, "--out", out, "--workers", "1", "--quiet").code == 0
    assert spectralgpt("shard", "--out", out, "--verify", "--json").json["verified"] == 1
    content = bytearray((out / "shard-00000.arrow").read_bytes())
    content[-len(content) // 3] ^= 4
    (out / "shard-00000.arrow").write_bytes(content)
    ended = spectralgpt("shard", "--out", out, "--verify")
    assert ended.code == 2
    assert "shard-00000.arrow (not the bytes" in ended.err


def test_options_reach_the_reading(images, tmp_path):
    shutil.copy(images / "0.tif", tmp_path / "x.tif")
    report = package.shard(tmp_path / "x.tif", out=tmp_path / "out", gsd=20.0, bands="s2-l1c:B2,B3", workers=1)
    (layout,) = report.layouts
    assert (layout.bands, layout.side) == (("B2", "B3"), 64)
    samples = open_shards(tmp_path / "out").read(0, np.array([0]))
    assert samples.gsd[0] == pytest.approx(20, rel=0.01)
    assert samples.extent.tolist() == [[37, 30]]
    values = np.full((13, 40, 40), 1, np.uint16)  # a reflectance of 0.0001 is none
    write(tmp_path / "dark.tif", values, names=NAMES)
    assert package.shard(tmp_path / "dark.tif", out=tmp_path / "dark", trust_input=True, workers=1).samples == 1


def test_messages_of_one_kind_are_shown_once():
    assert grouped(["/a/1.tif: found 3 bands", "/a/2.tif: found 12.5 bands", "/b.tif: no image", "odd"]) == (
        "/a/1.tif: found 3 bands (and 1 like it)",
        "/b.tif: no image",
        "odd",
    )


def test_real_images_of_many_kinds_become_shards(spectralgpt, tmp_path):
    folders = ("s2_l1c_scenes", "hls", "s2_pairs/38D_378R_2_3", "landsat_more/c2l2_decimated")
    sources = [real(f"{folder}/*.tif") for folder in folders]
    sources[2] = sources[2].parent
    ended = spectralgpt("shard", *sources, "--out", tmp_path / "out", "--chip", "96", "--workers", "1", "--json")
    assert ended.code == 0, ended.err
    report = ended.json
    assert {layout["sensor"] for layout in report["layouts"]} >= {"s2-l1c", "s2-l2a", "hls-l30", "landsat8-c2l2"}
    assert report["samples"] >= 30
    shards = open_shards(tmp_path / "out")
    for layout, count in enumerate(shards.counts):
        named = shards.sources(layout, np.array([count - 1]))[0]
        source, rows, columns = named.rsplit(", ", 2)
        path = next(IMAGES.rglob(Path(source).name))
        top, left = (int(each.split(" ")[1].split("-")[0]) for each in (rows, columns))
        samples = shards.read(layout, np.array([count - 1]))
        height, width = samples.extent[0].tolist()
        with rasterio.open(path) as dataset:
            stored = dataset.read()[:, top : top + height, left : left + width]
        values = samples.values[0, 0, :, :height, :width].numpy()
        if len(stored) == len(values) and values.dtype == stored.dtype:
            true = np.ones(values.shape, bool)
            if samples.valid is not None:
                true = samples.valid[0, 0, :, :height, :width].numpy()
            np.testing.assert_array_equal(values[true], stored[true])
    for band in shards.manifest.statistics:
        assert -0.2 < band.low <= band.mean <= band.high < 7
        assert 0 < band.sd < 1


def test_pixels_of_a_given_value_are_not_valid(spectralgpt, tmp_path):
    values = land(64, 64).astype(np.int16)
    values[:, :24] = -9999
    path = write(tmp_path / "a.tif", values, names=NAMES)
    ended = spectralgpt("shard", path, "--out", tmp_path / "out", "--chip", "64", "--workers", "1", "--nodata=-9999,-1")
    assert ended.code == 0, ended.err
    samples = open_shards(tmp_path / "out").read(0, np.arange(1))
    assert samples.valid is not None
    assert samples.valid[..., 24:, :].all()
    assert not samples.valid[..., :24, :].any()
    assert (samples.values >= 0).all()


@pytest.mark.parametrize(
    ("first", "second", "says"),
    [
        (None, "-9999", "stored without nodata; expected"),
        ("0", None, "stored with --nodata 0; expected"),
        ("0", "0,-9999", "repeat --nodata 0"),
        ("none,-1", "-1", "repeat --nodata none,-1"),
    ],
)
def test_other_nodata_on_stored_images_is_refused(spectralgpt, images, tmp_path, first, second, says):
    def run(nodata, *sources):
        given = () if nodata is None else (f"--nodata={nodata}",)
        how = ("--out", tmp_path / "out", "--chip", "64", "--workers", "1")
        return spectralgpt("shard", *(sources or (images,)), *how, *given)

    assert run(first).code == 0
    before = (tmp_path / "out" / "manifest.json").read_text()
    ended = run(second)
    assert ended.code == 2
    assert says in " ".join(ended.err.split()), ended.err
    assert (tmp_path / "out" / "manifest.json").read_text() == before
    assert run(first).code == 0
    other = tmp_path / "others"
    other.mkdir()
    write(other / "3.tif", land(74, 60, 3), names=NAMES)
    assert run(second, other).code == 0, "other images may have other fill"
    assert run(first).code == 0


@pytest.mark.parametrize("again", ["-9999,0", " 0, -9999.0", [0, -9999]])
def test_the_same_nodata_in_another_spelling_is_the_same(images, tmp_path, again):
    package.shard(images, out=tmp_path / "out", chip=64, workers=1, nodata="0,-9999")
    assert package.shard(images, out=tmp_path / "out", chip=64, workers=1, nodata=again).known == 3
