"""A scene into a map of embeddings, through the command line."""

import json

import numpy as np
import pytest
import rasterio
import torch
from made_rasters import NAMES, land, write
from PIL import Image
from rio_cogeo.cogeo import cog_validate

from spectralgpt import SpectralGPT, embed, open_raster
from spectralgpt.nn import ReadOut, ReadOutConfig, default_scale


def opened(path) -> np.ndarray:
    with rasterio.open(path) as dataset:
        return dataset.read()


def test_the_map_lies_on_the_scene(scene, weights, tmp_path, spectralgpt):
    target = tmp_path / "out.tif"
    ended = spectralgpt("embed", scene, target, "--weights", weights, "--json")
    assert ended.code == 0, ended.err
    report = ended.json
    assert report["target"] == str(target)
    assert (report["rows"], report["columns"], report["values"]) == (25, 17, 48)
    assert report["dropped"] == ["B10"]
    with rasterio.open(scene) as before, rasterio.open(target) as after:
        assert after.crs == before.crs
        assert after.shape == (25, 17)
        assert after.transform.a == 8 * before.transform.a
        assert (after.transform.c, after.transform.f) == (before.transform.c, before.transform.f)
        assert after.dtypes[0] == "float32"
        assert np.isnan(after.nodata)
        assert after.interleaving.value == "PIXEL"
        assert after.block_shapes[0] == (128, 128)
        tags = after.tags()
    assert tags["SPECTRALGPT_WEIGHTS"] == SpectralGPT.from_pretrained(weights).fingerprint() == report["fingerprint"]
    assert '"per": "all"' in tags["SPECTRALGPT_PARAMETERS"]
    assert cog_validate(target, strict=True)[0]
    vectors = opened(target)
    inside = np.isnan(vectors).all(axis=0)
    assert inside[7, 4], "the middle of the hole holds nothing"
    assert not inside[20].any(), "far from the hole everything is there"
    assert np.isnan(vectors).any(axis=0).sum() == inside.sum()
    with Image.open(report["picture"]) as picture:
        assert picture.mode == "RGBA"
        assert picture.size[0] / picture.size[1] == pytest.approx(17 / 25)


@pytest.mark.parametrize("dates", [1, 2])
def test_one_window_gives_the_model_s_own_numbers(dates, weights, tmp_path):
    days = ["2019-01-05", "2020-05-01"][:dates]
    paths = [write(tmp_path / f"{day}.tif", land(56, 61, seed), names=NAMES) for seed, day in enumerate(days)]
    model = SpectralGPT.from_pretrained(weights)
    with open_raster(paths) as raster, torch.inference_mode():
        cube = model.cube(raster.read())
        wanted = {per: model.embed(cube, per) for per in ("place", "group", "date")}
    for per, stacks in (("all", 1), ("group", 4), ("date", dates)):
        embed(paths, tmp_path / f"{per}.tif", weights=weights, per=per, precision="fp32")
        found = opened(tmp_path / f"{per}.tif")
        assert found.shape == (48 * stacks, 7, 8)
        vectors = np.moveaxis(found.reshape(stacks, 48, 7, 8), 1, -1)
        expected = wanted["place" if per == "all" else per][0].reshape(stacks, 7, 8, 48)
        np.testing.assert_allclose(vectors, expected, atol=2e-5)


def test_int8_is_the_same_to_half_a_step(scene, weights, tmp_path):
    for dtype in ("float32", "int8"):
        embed(scene, tmp_path / f"{dtype}.tif", weights=weights, dtype=dtype, precision="fp32", scale="file")
    whole = opened(tmp_path / "float32.tif")
    with rasterio.open(tmp_path / "int8.tif") as dataset:
        stored, scales = dataset.read(), np.array(dataset.scales)
        assert dataset.nodata == -128
    assert cog_validate(tmp_path / "int8.tif", strict=True)[0]
    known = ~np.isnan(whole)
    np.testing.assert_array_equal(stored != -128, known)
    error = np.abs(np.where(known, stored * scales[:, None, None] - whole, 0)).max(axis=(1, 2))
    assert (error <= scales * 0.5001).all()
    assert np.abs(np.where(known, stored, 0)).max() == 127


def halves(scene, tmp_path):
    """The scene's left and right 64 columns, written anew."""
    for name, start in (("left", 0), ("right", 64)):
        with rasterio.open(scene) as dataset:
            values = dataset.read(window=((0, dataset.height), (start, start + 64)))
        yield write(tmp_path / f"{name}.tif", values, names=NAMES)


@pytest.mark.parametrize("per", ["all", "group", "date"])
def test_int8_has_the_scale_of_the_weights(per, weights, tmp_path):
    model = SpectralGPT.from_pretrained(weights)
    scene = write(tmp_path / "scene.tif", land(64, 128), names=NAMES)
    scales = []
    for part in halves(scene, tmp_path):
        embed(part, tmp_path / f"{per}.tif", weights=weights, per=per, dtype="int8", precision="fp32", overwrite=True)
        embed(part, tmp_path / f"f_{per}.tif", weights=weights, per=per, precision="fp32", overwrite=True)
        whole = opened(tmp_path / f"f_{per}.tif")
        with rasterio.open(tmp_path / f"{per}.tif") as dataset:
            stored, tags = dataset.read(), dataset.tags()
            scales.append(np.array(dataset.scales))
        reach = 127 * scales[-1][:, None, None]
        beyond = np.abs(whole) > reach
        assert float(tags["SPECTRALGPT_CLIPPED"]) == pytest.approx(beyond.mean(), abs=1e-6)
        error = np.abs(stored * scales[-1][:, None, None] - np.clip(whole, -reach, reach))
        assert (error <= scales[-1][:, None, None] * 0.5001).all()
    np.testing.assert_array_equal(*scales)
    expected = default_scale(model.encoder.norm).detach().numpy()
    np.testing.assert_allclose(scales[0], np.tile(expected, len(scales[0]) // len(expected)), rtol=1e-6)


def test_the_scale_of_a_table_means_nothing(scene, weights, tmp_path, spectralgpt):
    ended = spectralgpt("embed", scene, tmp_path / "t.csv", "--weights", weights, "--scale", "file")
    assert ended.code == 2
    assert "--scale" in ended.err
    assert "table" in ended.err


def test_a_measured_read_out_gives_unit_vectors_that_compare(weights, tmp_path):
    """Of each map, float and int8, whatever lies in its windows."""
    model = SpectralGPT.from_pretrained(weights)
    config = model.config
    model.read_out = ReadOut(ReadOutConfig((1, config.size.depth), (0,), 5), config.size.dim)
    numbers = np.random.default_rng(0).normal(size=model.read_out.projection.shape).astype(np.float32)
    model.read_out.projection.copy_(torch.from_numpy(numbers))
    model.read_out.scale.copy_(torch.tensor([0.004, 0.004, 0.004, 0.004, 0.001]))
    model.save_pretrained(tmp_path / "measured")
    scene = write(tmp_path / "scene.tif", land(64, 128), names=NAMES)
    for part in halves(scene, tmp_path):
        embed(part, tmp_path / "f.tif", weights=tmp_path / "measured", overwrite=True)
        embed(part, tmp_path / "i.tif", weights=tmp_path / "measured", dtype="int8", overwrite=True)
        whole = opened(tmp_path / "f.tif")
        np.testing.assert_allclose(np.square(whole).sum(axis=0), 1, rtol=1e-5)
        with rasterio.open(tmp_path / "i.tif") as dataset:
            assert dataset.scales == pytest.approx([0.004, 0.004, 0.004, 0.004, 0.001])
            assert 0 < float(dataset.tags()["SPECTRALGPT_CLIPPED"]) < 1
            codes = dataset.read()
        scale = np.array(dataset.scales, np.float32)[:, None, None]
        np.testing.assert_array_equal(codes, np.clip(np.rint(whole / scale), -127, 127))


def test_the_order_of_the_file_s_bands_does_not_matter(weights, tmp_path):
    values = land(64, 72)
    order = np.random.default_rng(1).permutation(13)
    plain = write(tmp_path / "plain.tif", values, names=NAMES)
    mixed = write(tmp_path / "mixed.tif", values[order], names=[NAMES[i] for i in order])
    for path in (plain, mixed):
        embed(path, path.with_name(f"of_{path.name}"), weights=weights)
    np.testing.assert_array_equal(opened(tmp_path / "of_plain.tif"), opened(tmp_path / "of_mixed.tif"))


def test_missing_bands_and_own_groups(weights, tmp_path):
    few = write(tmp_path / "few.tif", land(64, 64, bands=4), names=("B2", "B3", "B4", "B8"))
    result = embed(few, tmp_path / "few_out.tif", weights=weights, bands="s2-l1c")
    assert result.missing == ("B1", "B5", "B6", "B7", "B8A", "B9", "B11", "B12")
    own = embed(few, tmp_path / "own_out.tif", weights=weights, bands="s2-l1c", bands_as="own")
    assert own.dropped == ()
    assert not np.array_equal(opened(tmp_path / "few_out.tif"), opened(tmp_path / "own_out.tif"))


def test_dates_are_chosen(weights, tmp_path, spectralgpt):
    paths = [
        write(tmp_path / f"a_{day}.tif", land(40, 40, i), names=NAMES)
        for i, day in enumerate(("2020-01-01", "2020-06-01"))
    ]
    one = spectralgpt("embed", *paths, tmp_path / "one.tif", "--weights", weights, "--dates", "2020-06-01")
    assert one.code == 0, one.err
    embed(paths[1], tmp_path / "same.tif", weights=weights)
    np.testing.assert_array_equal(opened(tmp_path / "one.tif"), opened(tmp_path / "same.tif"))
    none = spectralgpt("embed", *paths, tmp_path / "none.tif", "--weights", weights, "--dates", "2021-06-01")
    assert none.code == 2
    assert "2020-06-01" in none.err


def test_a_small_image_for_released_weights_is_scaled_by_its_own_extremes(tmp_path, weights):
    """min_max takes the extremes of the whole image, also where it is cut into windows."""
    from dataclasses import replace

    model = SpectralGPT.from_pretrained(weights)
    model.normalization = replace(model.normalization, kind="min_max")
    model.save_pretrained(tmp_path / "released")
    path = write(tmp_path / "wide.tif", land(64, 200), names=NAMES)
    embed(path, tmp_path / "wide_out.tif", weights=tmp_path / "released", precision="fp32")
    with open_raster(path) as raster, torch.inference_mode():
        first = raster.read(raster.grid.whole)
        cube = model.cube(first)
        assert cube.scaling.kind == "min_max"
        window = model.cube(open_raster(path).read(type(raster.grid.whole)(0, 0, 64, 128)), scaling=cube.scaling)
        wanted = model.embed(window, "place")[0]
    # the first windows' own part, before the next one's begins
    np.testing.assert_allclose(np.moveaxis(opened(tmp_path / "wide_out.tif"), 0, -1)[:, :9], wanted[:, :9], atol=2e-5)


def test_pixels_of_a_given_value_have_no_data(weights, tmp_path, spectralgpt):
    """As if the file declared it; the tags say it."""
    values = land(64, 64).astype(np.int16)
    values[:, :24] = -9999
    plain = write(tmp_path / "plain.tif", values, names=NAMES)
    declared = write(tmp_path / "declared.tif", values, names=NAMES, nodata=-9999)
    ended = spectralgpt("embed", plain, tmp_path / "given.tif", "--weights", weights, "--nodata", "-9999")
    assert ended.code == 0, ended.err
    embed(declared, tmp_path / "same.tif", weights=weights)
    np.testing.assert_array_equal(opened(tmp_path / "given.tif"), opened(tmp_path / "same.tif"))
    assert np.isnan(opened(tmp_path / "given.tif")[:, :3]).all()
    with rasterio.open(tmp_path / "given.tif") as given, rasterio.open(tmp_path / "same.tif") as same:
        assert json.loads(given.tags()["SPECTRALGPT_PARAMETERS"])["nodata"] == "-9999"
        assert "nodata" not in json.loads(same.tags()["SPECTRALGPT_PARAMETERS"])
    wrong = spectralgpt("embed", plain, tmp_path / "wrong.tif", "--weights", weights, "--nodata", "fill")
    assert (wrong.code, "--nodata fill; expected stored values like 0 or 0,-9999, or none" in wrong.err) == (2, True)
    assert not (tmp_path / "wrong.tif").exists()


@pytest.mark.parametrize("dtype", ["float32", "int8"])
@pytest.mark.parametrize("per", ["all", "date"])
def test_the_valid_share_of_each_place(dtype, per, weights, tmp_path, spectralgpt):
    """A scene of 59 columns: the last place has 3 of 8. In one patch half of one of two dates is missing, in one
    a single pixel is there, and in one nothing."""
    paths = []
    for date in ("2019-01-05", "2020-05-01"):
        values = land(48, 59, len(paths))
        values[:, 8:16, 16:24] = 0
        values[:, 24:32, 24:32] = 0
        values[:, 27, 27] = 900
        if paths:
            values[:, 8:12, 32:40] = 0
        paths.append(write(tmp_path / f"{date}.tif", values, names=NAMES, nodata=0))
    target = tmp_path / "out.tif"
    options = ("--weights", weights, "--per", per, "--dtype", dtype, "--overlap", "0.5", "--json")
    ended = spectralgpt("embed", *paths, target, *options)
    assert ended.code == 0, ended.err
    assert ended.json["valid"] == str(tmp_path / "out.valid.tif")
    with rasterio.open(ended.json["valid"]) as dataset, rasterio.open(target) as map_:
        assert (dataset.transform, dataset.crs, dataset.shape) == (map_.transform, map_.crs, map_.shape)
        assert (dataset.count, dataset.dtypes[0], dataset.nodata) == (1, "uint8", None)
        assert dataset.tags()["SPECTRALGPT_WEIGHTS"] == ended.json["fingerprint"]
        share, there = dataset.read(1), map_.read_masks(1) > 0
        assert map_.count == ended.json["values"]
    expected = np.full((6, 8), 100)
    expected[:, 7] = 37
    expected[1, 2], expected[1, 4], expected[3, 3] = 0, 75, 1
    np.testing.assert_array_equal(share, expected)
    np.testing.assert_array_equal(there, expected > 0)
    for least, wanted in (
        ("0.5", expected > 37),
        ("0.75", expected >= 75),
        ("0.375", expected > 1),
        ("1", share == 100),
    ):
        ended = spectralgpt("embed", *paths, target, *options, "--min-valid", least)
        assert ended.code == 0, ended.err
        with rasterio.open(target) as map_, rasterio.open(tmp_path / "out.valid.tif") as dataset:
            np.testing.assert_array_equal(map_.read_masks(1) > 0, wanted)
            np.testing.assert_array_equal(dataset.read(1), expected)
    before = target.read_bytes()
    for wrong in ("1.5", "-0.1"):
        ended = spectralgpt("embed", *paths, target, *options, f"--min-valid={wrong}")
        assert ended.code == 2
    assert target.read_bytes() == before
    assert not list(tmp_path.glob("*.partial"))
