"""Many images into one table, through the command line and in Python."""

import csv
import os
import signal
import struct

import numpy as np
import pyarrow.parquet as pq
import pytest
import rasterio
import torch
from made_rasters import NAMES, land, write
from rasterio.warp import transform_bounds
from real_rasters import IMAGES

import spectralgpt as package
from spectralgpt import open_raster
from spectralgpt.errors import OptionError, RasterError, TargetError
from spectralgpt.features import EncoderImages, images
from spectralgpt.version import RULES
from spectralgpt.weights import load_model

HLS = IMAGES / "hls"
BANDS_APART = IMAGES / "bigearthnet_samples"


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    """A cache of its own, as other tests may have made the same vectors."""
    monkeypatch.setenv("SPECTRALGPT_CACHE", str(tmp_path / "cache"))


@pytest.fixture
def computed(monkeypatch) -> list[int]:
    """Numbers of images that the model is given together."""
    calls: list[int] = []
    of = EncoderImages.of

    def counting(self, pixels):
        calls.append(len(pixels))
        return of(self, pixels)

    monkeypatch.setattr(EncoderImages, "of", counting)
    return calls


@pytest.fixture
def folder(tmp_path):
    """Seven small scenes of two sizes, dated."""
    below = tmp_path / "scenes"
    below.mkdir()
    for index in range(7):
        side = 40 if index == 2 else 32
        write(below / f"scene_2020-05-0{index + 1}.tif", land(side, 32, index), names=NAMES)
    return below


def alone(path, bands=None) -> np.ndarray:
    """What the untrained model says of one image."""
    model = load_model("untrained", "cpu")
    with open_raster(path, bands=bands) as raster, torch.inference_mode():
        return model.embed(model.cube(raster.read()), "image")[0].numpy()


def by_windows(path) -> np.ndarray:
    """The vector of one image that is larger than a window of the model, without a table."""
    with open_raster(path) as raster:
        return EncoderImages(load_model("untrained", "cpu"), precision="fp32").of([raster.read()])[0]


def box(wkb: bytes) -> tuple[float, float, float, float]:
    order, kind, rings, points = struct.unpack_from("<BIII", wkb)
    assert (order, kind, rings, points) == (1, 3, 1, 5)
    numbers = np.array(struct.unpack_from("<10d", wkb, 13)).reshape(5, 2)
    return (*numbers.min(axis=0), *numbers.max(axis=0))


def test_real_images_have_a_row_each(tmp_path, spectralgpt):
    """HLS files, and a folder of single-band files."""
    target = tmp_path / "out.parquet"
    ended = spectralgpt(
        "embed", HLS, BANDS_APART, target, "--weights", "untrained", "--precision", "fp32", "--device", "cpu", "--json"
    )
    assert ended.code == 0, ended.err
    assert len(ended.out.splitlines()) == 1
    paths = [*sorted(HLS.glob("*.tif")), next(BANDS_APART.iterdir())]
    table = pq.read_table(target)
    assert table["path"].to_pylist() == [str(path) for path in paths]
    assert ended.json["images"] == len(paths) == 3
    assert ended.json["failed"] == []
    vectors = np.array(table["vector"].to_pylist(), np.float32)
    assert ended.json["values"] == vectors.shape[1]
    for path, vector in zip(paths, vectors, strict=True):
        np.testing.assert_array_equal(vector, by_windows(path))
    np.testing.assert_array_equal(vectors[2], alone(paths[2]))
    assert set(table["fingerprint"].to_pylist()) == {load_model("untrained", "cpu").fingerprint()}
    assert set(table["rules"].to_pylist()) == {RULES}
    assert ended.json["kinds"][0]["images"] == 1
    assert any("B9" in kind["dropped"] for kind in ended.json["kinds"])
    for path, wkb in zip(paths, table["geometry"].to_pylist(), strict=True):
        with rasterio.open(path if path.is_file() else next(path.glob("*_B02.tif"))) as dataset:
            bounds = transform_bounds(dataset.crs, "EPSG:4326", *dataset.bounds)
        np.testing.assert_allclose(box(wkb), bounds, atol=5e-5)
    for path, date, share in zip(paths, table["date"].to_pylist(), table["valid_share"].to_pylist(), strict=True):
        with open_raster(path) as raster:
            pixels = raster.read()
            assert (date or "") == ",".join(filter(None, raster.dates))
            assert share == (1.0 if pixels.valid is None else pixels.valid.mean())
    assert table["date"].to_pylist()[2] == "2017-09-24"


def test_class_folders_are_a_folder_of_images(tmp_path, spectralgpt):
    """And CSV holds the same numbers as Parquet."""
    for ending in ("parquet", "csv"):
        ended = spectralgpt(
            "embed", IMAGES / "eurosat_ms", tmp_path / f"out.{ending}", "--weights", "untrained", "--bands", "eurosat"
        )
        assert ended.code == 0, ended.err
    table = pq.read_table(tmp_path / "out.parquet")
    with open(tmp_path / "out.csv", newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["path"] for row in rows] == table["path"].to_pylist()
    assert [os.path.basename(row["path"]) for row in rows] == ["River_3.tif", "SeaLake_1.tif"]
    read = np.array([[row[f"e{index}"] for index in range(192)] for row in rows], np.float32)
    np.testing.assert_array_equal(read, np.array(table["vector"].to_pylist(), np.float32))
    assert all(row["geometry"].startswith("POLYGON ((") for row in rows)


def test_rows_come_in_the_order_of_the_images(folder, tmp_path, monkeypatch, computed):
    """Also where an image of another size waits for others."""
    monkeypatch.chdir(tmp_path)
    result = package.embed("scenes", "out.parquet", weights="untrained", precision="fp32", device="cpu")
    assert sorted(computed) == [1, 6]
    table = pq.read_table(tmp_path / "out.parquet")
    names = [f"scene_2020-05-0{index + 1}.tif" for index in range(7)]
    assert table["path"].to_pylist() == [os.path.join("scenes", name) for name in names]
    assert table["date"].to_pylist() == [name[6:16] for name in names]
    for name, vector in zip(names, table["vector"].to_pylist(), strict=True):
        np.testing.assert_array_equal(np.array(vector, np.float32), alone(folder / name))
    assert result.images == 7
    assert "7 images, 192 values each" in str(result)


def test_the_second_run_computes_nothing(folder, tmp_path, computed):
    first, second = tmp_path / "one.parquet", tmp_path / "two.parquet"
    package.embed(folder, first, weights="untrained")
    assert sum(computed) == 7
    package.embed(folder, second, weights="untrained")
    package.embed(folder, first, weights="untrained")
    assert sum(computed) == 7
    assert pq.read_table(first).equals(pq.read_table(second))
    package.embed(folder, first, weights="untrained", bands_as="own")
    assert sum(computed) == 14


@pytest.mark.parametrize("sent", [signal.SIGTERM, signal.SIGINT])
def test_an_interrupted_run_leaves_only_the_cache(folder, tmp_path, monkeypatch, computed, sent):
    monkeypatch.setattr(images, "MADE_TOGETHER", 2)
    target = tmp_path / "out.parquet"

    def interrupt(stage, done, total):
        if stage == "embedding" and done == 3:
            os.kill(os.getpid(), sent)

    with pytest.raises(KeyboardInterrupt):
        package.embed(folder, target, weights="untrained", progress=interrupt)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["cache", "scenes"]
    assert sum(computed) > 0
    package.embed(folder, target, weights="untrained")
    assert sum(computed) == 7, "what was computed before is not computed again"
    assert pq.read_table(target).num_rows == 7


def test_what_a_killed_run_left_is_replaced(folder, tmp_path):
    (tmp_path / "out.csv.partial").write_text("half a ta")
    package.embed(folder, tmp_path / "out.csv", weights="untrained")
    assert not (tmp_path / "out.csv.partial").exists()


def test_unreadable_images_are_left_out_and_said(folder, tmp_path, spectralgpt):
    (folder / "broken.tif").write_bytes((folder / "scene_2020-05-01.tif").read_bytes()[:3000])
    (folder / "text.tif").write_text("no image")
    write(folder / "unnamed.tif", land(32, 32))
    target = tmp_path / "out.csv"
    for _ in range(2):  # its first image has no row, and yet it is recognized as an earlier result
        ended = spectralgpt("embed", folder, target, "--weights", "untrained", "--json")
        assert ended.code == 0, ended.err
    failed = {os.path.basename(each["path"]): each["reason"] for each in ended.json["failed"]}
    assert list(failed) == ["broken.tif", "text.tif", "unnamed.tif"]
    assert "without names" in failed["unnamed.tif"]
    assert ended.json["images"] == 7
    people = spectralgpt("embed", folder, target, "--weights", "untrained")
    assert "left out: 3 images" in people.out


def test_a_wrong_unit_is_refused_per_image_unless_trusted(folder, tmp_path):
    write(folder / "raw.tif", land(32, 32).astype(np.float32) * 50, names=NAMES)
    plain = package.embed(folder, tmp_path / "a.parquet", weights="untrained")
    trusted = package.embed(folder, tmp_path / "b.parquet", weights="untrained", trust_input=True)
    assert [os.path.basename(each.path) for each in plain.failed] == ["raw.tif"]
    assert (plain.images, trusted.images, trusted.failed) == (7, 8, ())
    assert any("raw.tif" in warning for warning in trusted.warnings)


def test_if_no_image_can_be_used_nothing_is_written(tmp_path, spectralgpt):
    several = tmp_path / "several"
    several.mkdir()
    for index in range(3):
        (several / f"{index}.tif").write_text("no image")
    for source, words in ((several, "none of 3 images could be used"), (several / "0.tif", "cannot be opened")):
        ended = spectralgpt("embed", source, tmp_path / "out.parquet", "--weights", "untrained")
        assert ended.code == 2
        assert words in ended.err
    assert spectralgpt("embed", tmp_path / "no", tmp_path / "out.csv", "--weights", "untrained").code == 2
    assert [path.name for path in tmp_path.iterdir()] == ["several"]


def test_files_on_the_command_line_are_images_of_their_own(folder, tmp_path):
    """Without georeference and without dates, but for the one that is given."""
    paths = []
    for index in range(2):
        path = tmp_path / f"plain{index}.tif"
        profile = {"driver": "GTiff", "height": 32, "width": 32, "count": 13, "dtype": "float32"}
        with pytest.warns(rasterio.errors.NotGeoreferencedWarning), rasterio.open(path, "w", **profile) as file:
            file.write(land(32, 32, index).astype(np.float32))
        paths.append(path)
    result = package.embed(
        [paths[1], f"{paths[0]}@2021-02-03"],
        tmp_path / "out.parquet",
        weights="untrained",
        bands="s2-l1c",
        precision="fp32",
    )
    assert result.images == 2
    table = pq.read_table(tmp_path / "out.parquet")
    assert table["path"].to_pylist() == [str(paths[1]), str(paths[0])]
    assert table["geometry"].to_pylist() == [None, None]
    assert table["date"].to_pylist() == [None, "2021-02-03"]
    np.testing.assert_array_equal(np.array(table["vector"].to_pylist()[0], np.float32), alone(paths[1], "s2-l1c"))


def test_rows_of_a_table_and_stacks_of_dates(folder, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with open("list.csv", "w") as file:
        file.write("path,place,date\n")
        for index in (4, 1, 2):
            place, date = ("", "") if index == 2 else ("here", f"2020-05-0{index}")
            file.write(f"scenes/scene_2020-05-0{index}.tif,{place},{date}\n")
    package.embed("list.csv", "out.parquet", weights="untrained", precision="fp32", device="cpu")
    rows = pq.read_table("out.parquet").to_pylist()
    assert [row["path"] for row in rows] == [os.path.join("scenes", "scene_2020-05-02.tif"), "list.csv#here"]
    assert [row["date"] for row in rows] == ["2020-05-02", "2020-05-01,2020-05-04"]
    both = alone([folder / f"scene_2020-05-0{index}.tif" for index in (1, 4)])
    np.testing.assert_array_equal(np.array(rows[1]["vector"], np.float32), both)


def test_a_table_of_labelled_images_is_a_table_of_images(folder, tmp_path):
    (tmp_path / "labels.csv").write_text("image,label\nscenes/scene_2020-05-02.tif,a\nscenes/scene_2020-05-01.tif,b\n")
    package.embed(tmp_path / "labels.csv", tmp_path / "out.csv", weights="untrained")
    with open(tmp_path / "out.csv", newline="") as file:
        paths = [row["path"] for row in csv.DictReader(file)]
    assert paths == [str(folder / f"scene_2020-05-0{index}.tif") for index in (2, 1)]


@pytest.mark.parametrize(
    "given", [{"per": "group"}, {"dtype": "int8"}, {"overlap": 0.5}, {"aoi": "a.geojson"}, {"dates": "2020-05-01"}]
)
def test_options_of_maps_are_refused(folder, tmp_path, given):
    with pytest.raises(OptionError, match=f"^{next(iter(given))}="):
        package.embed(folder, tmp_path / "out.csv", weights="untrained", **given)
    assert not (tmp_path / "out.csv").exists()


def test_only_an_earlier_result_is_replaced(folder, tmp_path, computed):
    mine, table = tmp_path / "mine.csv", tmp_path / "list.csv"
    mine.write_text("path,geometry,date,valid_share\nelsewhere.tif,,,1\n")
    table.write_text("path\nscenes/scene_2020-05-01.tif\n")
    for sources, target, words in (
        (folder, mine, "no result of spectralgpt"),
        (table, table, "is one of the sources"),
        (folder, tmp_path / "nowhere" / "out.csv", "does not exist"),
    ):
        with pytest.raises(TargetError, match=words):
            package.embed(sources, target, weights="untrained")
    assert computed == []
    assert table.read_text() == "path\nscenes/scene_2020-05-01.tif\n"


def test_errors_spell_the_paths_as_given(folder, tmp_path, monkeypatch):
    (folder / "text.tif").write_text("no image")
    monkeypatch.chdir(tmp_path)
    result = package.embed("scenes", "out.csv", weights="untrained")
    assert result.failed[0].reason.startswith(os.path.join("scenes", "text.tif") + ": ")
    with pytest.raises(RasterError, match=r"^scenes.text\.tif: "):
        package.embed(os.path.join("scenes", "text.tif"), "other.csv", weights="untrained")
