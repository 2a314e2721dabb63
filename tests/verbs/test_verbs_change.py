"""Two dates of a place into a map of what changed, through the command line."""

import json

import numpy as np
import pytest
import rasterio
import torch
from affine import Affine
from made_rasters import NAMES, PLACE, land, listing, write
from PIL import Image
from real_rasters import real
from rio_cogeo.cogeo import cog_validate

from made_dates import band, of_dates, two_dates
from spectralgpt import InputError, SpectralGPT, change, open_raster
from spectralgpt.products import open_pair
from spectralgpt.raster import Window
from spectralgpt.scenes.changed import change_threshold, class_totals, otsu
from spectralgpt.scenes.distances import CommonChange
from spectralgpt.tasks import Class

PLACES = (slice(12, 17), slice(3, 8))
"""What changes, in places."""


@pytest.fixture(scope="module")
def changed(tmp_path_factory, weights) -> tuple:
    """The result for a made pair, and its folder."""
    folder = tmp_path_factory.mktemp("pair")
    return folder, change(*two_dates(folder), folder / "map.tif", weights=weights, precision="fp32")


def test_the_changed_rectangle_is_at_its_place(changed):
    _, found = changed
    distances, classes = band(found.target), band(found.changed_map)
    expected = np.zeros((25, 17), np.uint8)
    expected[PLACES] = 1
    np.testing.assert_array_equal(classes, expected)
    np.testing.assert_array_equal(distances > found.threshold, expected == 1)
    assert found.changed_share == pytest.approx(25 / 425)
    assert found.changed_square_metres == pytest.approx(25 * 80 * 80, rel=0.01)
    assert found.classes == {"unchanged": pytest.approx(400 * 6400, rel=0.01), "changed": found.changed_square_metres}
    assert (found.rows, found.columns, found.kind) == (25, 17, "distances")
    assert found.dates == ("2020-05-01", "2021-05-01")
    assert of_dates(found.warnings) == []


def test_maps_lie_on_the_first_image_and_say_how_they_were_made(changed, weights):
    folder, found = changed
    for path in (found.target, found.changed_map):
        assert cog_validate(path, strict=True)[0]
        with rasterio.open(folder / "before_2020-05-01.tif") as before, rasterio.open(path) as after:
            assert after.crs == before.crs
            assert after.transform == Affine(80.0, 0.0, PLACE.c, 0.0, -80.0, PLACE.f)
            tags = after.tags()
        assert tags["SPECTRALGPT_WEIGHTS"] == found.fingerprint
        parameters = json.loads(tags["SPECTRALGPT_PARAMETERS"])
        assert parameters["verb"] == "change"
        assert parameters["aligned"] is False
        assert parameters["shift"] == [pytest.approx(0, abs=0.05)] * 2
    assert float(tags["SPECTRALGPT_THRESHOLD"].split()[0]) == pytest.approx(found.threshold)
    with rasterio.open(found.changed_map) as dataset:
        assert dataset.nodata == 255
        palette = dataset.colormap(1)
        assert palette[0] != palette[1]
    assert [each["name"] for each in json.loads(tags["SPECTRALGPT_CLASSES"])] == ["unchanged", "changed"]
    with Image.open(found.picture) as picture:
        assert picture.width > 1.5 * picture.height, "three panels of a scene that is higher than wide"


def test_inspect_says_what_the_maps_are_and_no_verb_takes_them_for_images(changed, weights, tmp_path, spectralgpt):
    _, found = changed
    ended = spectralgpt("inspect", found.target)
    assert "distance between the embeddings of two dates" in ended.out
    assert "made by    change" in ended.out
    assert "class      changed: 5.9%" in spectralgpt("inspect", found.changed_map).out
    for path, what in ((found.target, "a map of distances"), (found.changed_map, "a map of 2 classes")):
        ended = spectralgpt("embed", path, tmp_path / "out.tif", "--weights", weights)
        assert ended.code == 2
        assert what in ended.err


def test_distances_are_of_vectors_without_what_is_common(weights, tmp_path):
    """One window: the model's own numbers, by the formula of the docs."""
    before, after = two_dates(tmp_path, rows=48, columns=56)
    write(after, land(48, 56, seed=4), names=NAMES, nodata=0.0)
    found = change(before, after, tmp_path / "map.tif", weights=weights, precision="fp32")
    model = SpectralGPT.from_pretrained(weights)
    with open_pair(before, after) as raster, torch.inference_mode():
        cube = model.cube(raster.read())
        cube.days[:] = -1
        one, two = (model.embed(cube.at_date(date), "place")[0].numpy().reshape(-1, 48) for date in (0, 1))
    difference = two - one
    spread = np.sqrt((one.var(axis=0) + two.var(axis=0)) / 2)
    expected = np.sqrt((((difference - np.median(difference, axis=0)) / spread) ** 2).mean(axis=1))
    np.testing.assert_allclose(band(found.target).ravel(), expected, rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize("day", ["2020-05-01", "2021-05-01", "2020-11-20"])
def test_the_same_pixels_on_another_day_have_not_changed(day, weights, tmp_path):
    pair = [
        write(tmp_path / f"{name}.tif", land(96, 80), names=NAMES, tags={"ACQUISITION_DATE": date})
        for name, date in (("one", "2020-05-01"), ("two", day))
    ]
    found = change(*pair, tmp_path / "map.tif", weights=weights)
    assert (band(found.target) == 0).all()
    assert (band(found.changed_map) == 0).all()
    assert (found.changed_share, found.changed_square_metres) == (0, 0)


def test_dates_need_not_be_known_and_the_order_given_counts(weights, tmp_path):
    folder = tmp_path / "dated"
    folder.mkdir()
    before, after = two_dates(folder)
    there = change(before, after, tmp_path / "there.tif", weights=weights, precision="fp32")
    back = change(after, before, tmp_path / "back.tif", weights=weights, precision="fp32")
    np.testing.assert_array_equal(band(there.target), band(back.target))
    assert back.dates == ("2021-05-01", "2020-05-01")
    assert "in the order given" in of_dates(back.warnings)[0]
    assert of_dates(there.warnings) == []
    plain = [write(tmp_path / f"{name}.tif", land(64, 64, seed), names=NAMES) for seed, name in enumerate("ab")]
    found = change(*plain, tmp_path / "plain.tif", weights=weights)
    assert found.dates == ("", "")
    assert not any("order" in warning for warning in found.warnings)


def test_one_image_twice_is_refused(weights, tmp_path, spectralgpt):
    before, _ = two_dates(tmp_path)
    files = listing(tmp_path)
    for second in (before, f"{before}@2021-01-01"):
        ended = spectralgpt("change", before, second, tmp_path / "map.tif", "--weights", weights)
        assert ended.code == 2
        assert "is given as both images; expected two dates" in ended.err
    assert listing(tmp_path) == files


def test_dates_of_one_file_are_chosen(weights, tmp_path):
    before, after = land(64, 72), land(64, 72, seed=2)
    third = land(64, 72, seed=3)
    names = [f"{name}_{day}" for day in ("20200501", "20210501", "20220501") for name in NAMES]
    series = write(tmp_path / "series.tif", np.concatenate([before, after, third]), names=names)
    pair = [write(tmp_path / f"{i}.tif", each, names=NAMES) for i, each in enumerate((before, third))]
    found = change(series, series, tmp_path / "a.tif", weights=weights, dates=["2020-05-01", "2022-05-01"])
    apart = change(*pair, tmp_path / "b.tif", weights=weights)
    np.testing.assert_array_equal(band(found.target), band(apart.target))
    assert found.dates == ("2020-05-01", "2022-05-01")
    with pytest.raises(InputError, match=r"found 3 dates .*expected one\. Choose one of each source"):
        change(series, pair[0], tmp_path / "c.tif", weights=weights)
    with pytest.raises(InputError, match=r"dates='2020-05-01': found 1 date; expected one per source"):
        change(series, series, tmp_path / "c.tif", weights=weights, dates="2020-05-01")


@pytest.mark.parametrize(
    ("threshold", "share"), [(0, 1.0), (0.45, 25 / 425), (1e6, 0.0)], ids=["nothing", "between", "beyond"]
)
def test_a_given_threshold_is_taken(threshold, share, changed, weights, tmp_path):
    folder, _ = changed
    pair = (folder / "before_2020-05-01.tif", folder / "after_2021-05-01.tif")
    found = change(*pair, tmp_path / "map.tif", weights=weights, precision="fp32", threshold=threshold)
    assert (found.threshold, found.threshold_chosen) == (threshold, "given")
    assert found.changed_share == pytest.approx(share)
    assert f"above {threshold:.4g} (given)" in str(found)


@pytest.mark.parametrize("threshold", ["-1", "nan", "inf"])
def test_a_threshold_that_no_distance_has_is_refused(threshold, changed, weights, tmp_path, spectralgpt):
    folder, _ = changed
    pair = (folder / "before_2020-05-01.tif", folder / "after_2021-05-01.tif")
    ended = spectralgpt("change", *pair, tmp_path / "m.tif", "--weights", weights, "--threshold", threshold)
    assert ended.code == 2
    assert "a distance of 0 or more" in ended.err
    assert listing(tmp_path) == []


def test_holes_of_either_date_have_no_class(weights, tmp_path):
    before, after = two_dates(tmp_path)
    for path, where in ((before, np.s_[:, 0:16, 0:16]), (after, np.s_[:, 40:56, 80:96])):
        with rasterio.open(path) as dataset:
            values = dataset.read()
        values[where] = 0
        write(path, values, names=NAMES, nodata=0.0)
    found = change(before, after, tmp_path / "map.tif", weights=weights)
    expected = np.zeros((25, 17), bool)
    expected[0:2, 0:2] = expected[5:7, 10:12] = True
    np.testing.assert_array_equal(np.isnan(band(found.target)), expected)
    np.testing.assert_array_equal(band(found.changed_map) == 255, expected)
    assert found.changed_share == pytest.approx((band(found.changed_map) == 1).sum() / (425 - 8))


@pytest.mark.parametrize(
    ("empty", "says"),
    [
        (np.s_[1:, :], "the later image has no valid pixel on this place"),
        (np.s_[:1, :], "the earlier image has no valid pixel on this place"),
        (None, "no pixel is valid at both dates"),
    ],
)
def test_nothing_in_common_is_refused_and_nothing_written(weights, tmp_path, spectralgpt, empty, says):
    pair = two_dates(tmp_path)
    for date, path in enumerate(pair):
        with rasterio.open(path) as dataset:
            values = dataset.read()
        if empty is None:
            values[:, 100 * date : 100 * (date + 1)] = 0
        elif date in np.arange(2)[empty[0]]:
            values[:] = 0
        write(path, values, names=NAMES, nodata=0.0)
    files = listing(tmp_path)
    ended = spectralgpt("change", *pair, tmp_path / "map.tif", "--weights", weights, "--trust-input")
    assert ended.code == 2
    assert f": {says}; expected two images that show the same place. The verb `inspect` says" in ended.err
    assert listing(tmp_path) == files


def test_holes_of_one_date_are_no_change(weights, tmp_path):
    """Both dates are embedded from the pixels that both have: a cloud's hole in one of them moves no distance much."""
    before, after = two_dates(tmp_path)
    whole = change(before, after, tmp_path / "whole.tif", weights=weights)
    with rasterio.open(after) as dataset:
        values = dataset.read()
    values[:, 13:37, 75:101] = 0
    write(after, values, names=NAMES, nodata=0.0)
    found = change(before, after, tmp_path / "map.tif", weights=weights, threshold=whole.threshold)
    known = band(found.changed_map) != 255
    assert (~known).sum() == 4, "whole places"
    np.testing.assert_array_equal(band(found.changed_map)[known], band(whole.changed_map)[known])


def test_what_a_window_has_in_common_is_taken_out_where_it_is_small():
    rng = np.random.default_rng(0)
    spread = np.array([1.0, 2.0, 0.0, 4.0], np.float32)
    common = np.array([0.5, -1.0, 0.0, 2.0], np.float32)
    measured = CommonChange(common, spread, 100)
    own = rng.normal(0, 1, (4, 6, 5)) * spread[:, None, None]
    shape = rng.normal(0, 1, 3)
    shape *= 1 / np.sqrt((shape**2).mean())
    context = np.zeros(4)

    def distances(size: float) -> np.ndarray:
        context[[0, 1, 3]] = size * shape
        shift = (context * spread)[:, None, None]
        windows = np.broadcast_to(common[:, None, None] + shift, own.shape).astype(np.float32)
        given = (own + common[:, None, None] + shift).astype(np.float32)
        given[:, 2, 3] = np.nan
        return measured.distances(given, windows)

    def expected(left: float) -> np.ndarray:
        apart = own[[0, 1, 3]] / spread[[0, 1, 3], None, None] + left * shape[:, None, None]
        return np.sqrt((apart**2).mean(axis=0))

    for size, left in ((0.0, 0.0), (0.1, 0.0), (0.5, 0.0), (0.75, 0.375), (1.0, 1.0), (1.3, 1.3)):
        found, wanted = distances(size), expected(left)
        assert np.isnan(found[2, 3])
        wanted[2, 3] = np.nan
        np.testing.assert_allclose(found, wanted, rtol=1e-4, err_msg=str(size))


def test_a_change_does_not_spread_over_its_window(demo_scene, tmp_path):
    """With the packaged weights: 50 x 80 pixels of a real scene are replaced, which moves all vectors of their
    windows."""
    with open_raster(demo_scene) as raster:
        pixels = raster.read(Window(100, 100, 192, 192))
        names = [each.name for each in pixels.bands]
    before = np.asarray(pixels.values[0], np.float64) * pixels.scale[:, None, None] + pixels.offset[:, None, None]
    after = before * 1.03 * (1 + 0.01 * np.random.default_rng(0).normal(size=before.shape))
    after[:, 40:90, 40:120] = after[:, 136:186, 100:180].copy()
    pair = [
        write(tmp_path / f"{name}.tif", (1e4 * each).clip(1).astype(np.uint16), names=names)
        for name, each in (("before", before), ("after", after))
    ]
    found = change(*pair, tmp_path / "map.tif", bands="s2-l1c", trust_input=True)
    changed = band(found.changed_map)
    inside = np.zeros(changed.shape, bool)
    inside[5:12, 5:15] = True
    assert changed[6:11, 6:14].all()
    assert changed[~inside].mean() < 0.02


# -- what is refused ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("target", "words"),
    [
        pytest.param("map.jp2", "one that ends in .tif", id="no GeoTIFF"),
        pytest.param("missing/map.tif", "does not exist", id="no folder"),
        pytest.param("before_2020-05-01.tif", "is one of the sources", id="a source"),
    ],
)
def test_a_bad_target_leaves_nothing(target, words, weights, tmp_path, spectralgpt):
    pair = two_dates(tmp_path)
    files = {path: path.read_bytes() for path in tmp_path.iterdir()}
    ended = spectralgpt("change", *pair, tmp_path / target, "--weights", weights, "--overwrite")
    assert ended.code == 2
    assert words in ended.err
    assert {path: path.read_bytes() for path in tmp_path.iterdir()} == files


def test_a_file_of_others_beside_the_target_is_kept(weights, tmp_path, spectralgpt):
    pair = two_dates(tmp_path)
    mine = write(tmp_path / "map.changed.tif", land(16, 16, bands=1))
    content = mine.read_bytes()
    ended = spectralgpt("change", *pair, tmp_path / "map.tif", "--weights", weights)
    assert ended.code == 2
    assert "map.changed.tif: exists" in ended.err
    assert mine.read_bytes() == content
    assert not (tmp_path / "map.tif").exists()


def test_the_same_command_replaces_its_results(weights, tmp_path):
    pair = two_dates(tmp_path, rows=64, columns=64)
    first = change(*pair, tmp_path / "map.tif", weights=weights, threshold=1)
    content = first.changed_map.read_bytes()
    change(*pair, tmp_path / "map.tif", weights=weights, threshold=0)
    assert first.changed_map.read_bytes() != content


@pytest.mark.parametrize(
    ("second", "words"),
    [
        pytest.param({"names": NAMES[:12]}, "found other bands", id="other bands"),
        pytest.param({"transform": Affine(10, 0, 635730, 0, -10, 4179460)}, "does not overlap", id="elsewhere"),
        pytest.param({"crs": None, "transform": Affine.identity(), "rows": 30}, "no georeference", id="no place"),
    ],
)
def test_pairs_that_do_not_fit_are_refused_as_dates_are(second, words, weights, tmp_path):
    rows = second.pop("rows", 64)
    before = write(tmp_path / "one.tif", land(64, 64), names=NAMES)
    how = {"names": NAMES} | second
    after = write(tmp_path / "two.tif", land(rows, 64, bands=len(how["names"])), **how)
    with pytest.raises(InputError, match=words):
        change(before, after, tmp_path / "map.tif", weights=weights)


# -- thresholds and counts ---------------------------------------------------------------------------------------------


def test_thresholds_by_hand():
    # median 2, median distance from it 1: 2 + 3 x 1.4826
    values = np.array([0, 1, 1, 2, 2, 3, 3, 4], np.float32)
    assert change_threshold(values).value == pytest.approx(2 + 3 * 1.4826)
    assert otsu(np.array([0.0, 0.0, 0.0, 10.0])) == pytest.approx(5, abs=0.01)
    assert otsu(np.array([1.0, 2.0, 9.0, 10.0])) == pytest.approx(5.5, abs=0.01)
    # half of the places have not changed at all: three robust deviations of 0 would call all others changed
    chosen = change_threshold(np.array([0.0] * 60 + [0.01] * 10 + [1.0] * 10, np.float32))
    assert 0.01 < chosen.value < 1
    assert chosen.chosen.startswith("Otsu")
    for same in ([], [0.3], [0.7] * 5):
        found = change_threshold(np.array(same, np.float32)).value
        assert not (np.array(same, np.float32) > found).any()


def test_counts_by_hand(tmp_path):
    path = write(tmp_path / "a.tif", land(3, 4, bands=13), names=NAMES)
    with open_raster(path) as raster:
        rows = [np.array([[0, 1, 1, 255]], np.uint8), np.array([[0, 0, 1, 255], [2, 0, 0, 0]], np.uint8)]
        totals = class_totals((Class("a"), Class("b"), Class("c")), raster.grid, rows)
    assert totals.pixels == {"a": 6, "b": 3, "c": 1}
    assert totals.known == 10
    assert totals.changed_share == pytest.approx(0.4)
    assert totals.changed_square_metres == pytest.approx(400, rel=0.01)


# -- real --------------------------------------------------------------------------------------------------------------


@pytest.mark.long
def test_a_real_pair_in_folders_of_bands(weights, tmp_path):
    before, after = real("oscd/beihai/imgs_1"), real("oscd/beihai/imgs_2")
    found = change(before, after, tmp_path / "map.tif", weights=weights, align=True, batch=16)
    assert (found.shift.rows, found.shift.columns) == (pytest.approx(0.7, abs=0.2), pytest.approx(0.7, abs=0.2))
    assert found.shift.aligned
    assert found.dates == ("2016-12-09", "2018-03-09")
    assert 0 < found.changed_share < 0.5
