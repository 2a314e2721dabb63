"""The images in a user's sources, and their names in shards."""

import shutil
from pathlib import Path

import numpy as np
import pytest
from made_rasters import NAMES, distinct, land, write

from made_folders import bands_of, contents, scene
from spectralgpt.data.series import Reading
from spectralgpt.data.sharding import shard
from spectralgpt.data.shards import open_shards
from spectralgpt.data.sources import find_images
from spectralgpt.errors import RasterError

READING = Reading(chip=64, least_valid=0.1, most_dates=12)


def names(*sources: Path, **how) -> list[str]:
    return [image.name for image in find_images(sources, **how).images]


@pytest.fixture
def tree(tmp_path) -> Path:
    """A folder of images, a folder of bands, a product's folder, an ENVI image, a STAC item, an archive, others."""
    top = tmp_path / "top"
    scene(top / "a" / "one_2020-01-01.tif", 20, 20)
    scene(top / "a" / "two_2020-02-01.tiff", 20, 20)
    bands_of(top / "b" / "scene")
    (top / "S2A_x.SAFE" / "GRANULE").mkdir(parents=True)
    scene(top / "S2A_x.SAFE" / "GRANULE" / "B02.jp2.tif", 20, 20)
    scene(top / "landsat" / "LC08_B4.tif", 20, 20)
    (top / "landsat" / "LC08_MTL.txt").write_text("GROUP = L1_METADATA_FILE")
    write(top / "cube", land(9, 9), driver="ENVI")
    (top / "notes").mkdir()
    (top / "notes" / "readme.txt").write_text("text")
    (top / ".hidden").mkdir()
    scene(top / ".hidden" / "x.tif", 20, 20)
    (top / "stac").mkdir()
    scene(top / "stac" / "asset.tif", 20, 20)
    (top / "stac" / "item.json").write_text('{"type": "Feature", "stac_version": "1.0.0"}')
    (top / "z.zip").write_bytes(b"PK")
    (top / "notes" / "back").symlink_to(top, target_is_directory=True)
    return top


def test_a_folder_is_walked_for_images_products_and_bands(tree):
    assert names(tree) == [
        "top/cube",
        "top/z.zip",
        "top/S2A_x.SAFE",
        "top/a/one_2020-01-01.tif",
        "top/a/two_2020-02-01.tiff",
        "top/b/scene",
        "top/landsat",
        "top/stac/item.json",
    ]
    assert names(tree / "landsat") == ["top/landsat"]
    assert names(tree / "b" / "scene") == ["scene"]
    assert names(tree / "a" / "one_2020-01-01.tif", tree / "a" / "two_2020-02-01.tiff") == [
        "a/one_2020-01-01.tif",
        "a/two_2020-02-01.tiff",
    ]


def test_each_image_comes_once_under_a_name_of_its_own(tmp_path):
    for folder in ("x/images", "y/images"):
        scene(tmp_path / folder / "a.tif", 8, 8)
    found = find_images([tmp_path / "x" / "images", tmp_path / "y" / "images"])
    assert [image.name for image in found.images] == ["images/a.tif", "y/images/a.tif"]
    # of a later run, with sources in which they lie deeper
    assert names(tmp_path, roots=found.roots) == ["images/a.tif", "y/images/a.tif"]
    assert names(tmp_path, tmp_path / "x", roots={}) == [f"{tmp_path.name}/{one}/images/a.tif" for one in "xy"]


def test_a_moved_run_of_sources_stores_each_image_once(tmp_path):
    for folder in ("x/images", "y/images"):
        scene(tmp_path / folder / "a.tif", 40, 40, len(folder))
    shard([tmp_path / "x" / "images"], tmp_path / "out", READING, workers=1)
    shard([tmp_path / "x", tmp_path / "y"], tmp_path / "out", READING, workers=1)
    found = contents(tmp_path / "out")
    assert {source.split(",")[0] for source, _ in found} == {"images/a.tif", "y/images/a.tif"}
    assert max(found.values()) == 1


def test_what_is_not_there_is_said(tmp_path):
    (tmp_path / "empty").mkdir()
    for source, found in (("nowhere", "does not exist"), ("empty", "found no image .*expected")):
        with pytest.raises(RasterError, match=f"{source}: {found}"):
            find_images([tmp_path / source])


def dated(folder: Path, days: list[str], rows: int = 40) -> list[Path]:
    return [scene(folder / f"s_{day}.tif", rows, 50, seed) for seed, day in enumerate(days)]


def test_a_stack_is_one_sample_of_all_its_dates(tmp_path):
    days = ["2020-03-01", "2020-01-01", "2020-02-01"]
    dated(tmp_path / "in" / "place", days)
    (bad := tmp_path / "in" / "place" / "s_2020-04-01.tif").write_bytes(b"no image")
    write(tmp_path / "in" / "place" / "a_2020-05-01.tif", land(40, 50)[1:], names=NAMES[1:])
    far = {"transform": None, "crs": None}
    write(tmp_path / "in" / "place" / "u_2020-06-01.tif", land(30, 50), names=NAMES, **far)
    write(tmp_path / "in" / "place" / "v_2020-02-01.tif", land(32, 50), names=NAMES)
    write(tmp_path / "in" / "place" / "w.tif", land(40, 50), names=NAMES)
    report = shard([tmp_path / "in"], tmp_path / "out", READING, stack=True, workers=1)
    shards = open_shards(tmp_path / "out")
    assert (report.added, shards.layouts[0].dates) == (1, 3)
    samples = shards.read(0, np.array([0]))
    for index, seed in enumerate((1, 2, 0)):
        np.testing.assert_array_equal(samples.values[0, index, :, :40, :50], land(40, 50, seed))
    reasons = {failure.source.rsplit("/", 1)[1][0]: failure.reason for failure in report.manifest.failed}
    assert list(reasons) == ["s", "w", "v", "a", "u"]
    assert str(bad) in reasons["s"]
    assert "other bands" in reasons["a"]
    assert "no georeference" in reasons["u"]
    assert "2020-02-01" in reasons["v"]
    assert "no date" in reasons["w"]
    assert shard([tmp_path / "in"], tmp_path / "out", READING, stack=True, workers=1).known == 1
    assert len(open_shards(tmp_path / "out").manifest.failed) == 5  # stored images are not checked again


@pytest.mark.parametrize(
    ("dtype", "nodata", "declared"), [("uint16", 0, True), ("int16", -9999, True), ("float32", -1.0, False)]
)
def test_two_half_filled_images_of_one_day_are_one_date(tmp_path, dtype, nodata, declared):
    whole = land(40, 50).astype(dtype)
    left, right = whole.copy(), whole + np.asarray(1000, dtype)
    left[..., 30:], right[..., :20] = nodata, nodata
    folder = tmp_path / "in"
    folder.mkdir()
    how = {"names": NAMES, "nodata": nodata if declared else None}
    write(folder / "a_2020-02-01.tif", left, **how)
    write(folder / "b_2020-02-01.tif", right, **how)
    write(folder / "c_2020-01-01.tif", whole, **how)
    reading = Reading(64, 0.1, 12, nodata=None if declared else nodata)
    report = shard([folder], tmp_path / "out", reading, stack=True, workers=1)
    shards = open_shards(tmp_path / "out")
    assert (report.added, report.manifest.failed, shards.layouts[0].dates) == (1, (), 2)
    sample = shards.read(0, np.array([0]))
    expected = whole.copy()
    expected[..., 30:] = right[..., 30:]
    np.testing.assert_array_equal(sample.values[0, 0, :, :40, :50], whole)
    np.testing.assert_array_equal(sample.values[0, 1, :, :40, :50], expected)
    assert sample.valid is None or sample.valid[0, :, :, :40, :50].all()
    assert sum("are of one day, 2020-02-01" in warning for warning in report.warnings) == 1
    assert shard([folder], tmp_path / "out", reading, stack=True, workers=1).known == 1


def test_three_images_of_one_day_each_with_its_own_mask(tmp_path):
    folder = tmp_path / "in"
    folder.mkdir()
    parts = []
    for index in range(3):
        values = np.zeros((13, 40, 48), np.uint16)
        values[..., 16 * index : 16 * index + 16] = land(40, 48)[..., 16 * index : 16 * index + 16]
        write(folder / f"{index}.tif", values, names=NAMES, nodata=0)
        cloud = np.zeros((1, 40, 48), np.uint8)
        cloud[0, index, 16 * index] = 1
        write(folder / f"cloud_{index}.tif", cloud)
        parts.append(f"{index}.tif,p,2020-02-01,cloud_{index}.tif")
    (folder / "images.csv").write_text("path,place,date,clouds\n" + "\n".join(parts))
    report = shard([folder / "images.csv"], tmp_path / "out", READING, workers=1)
    shards = open_shards(tmp_path / "out")
    assert (report.added, report.manifest.failed, shards.layouts[0].dates) == (1, (), 1)
    sample = shards.read(0, np.array([0]))
    assert (~sample.valid[0, 0, 3, :40, :48]).nonzero().tolist() == [[0, 0], [1, 16], [2, 32]]


def test_a_folder_of_single_bands_of_two_dates_is_one_sample(tmp_path):
    values = land(40, 50)
    for day, add in (("2020-01-01", 0), ("2020-02-01", 100)):
        for name in ("B02", "B03", "B10"):
            (tmp_path / "in").mkdir(exist_ok=True)
            write(tmp_path / "in" / f"{day}_{name}.tif", values[int(name[1:]) - 1][None] + np.uint16(add))
    report = shard([tmp_path / "in"], tmp_path / "out", READING, workers=1)
    shards = open_shards(tmp_path / "out")
    assert (report.added, shards.layouts[0].dates) == (1, 2)
    sample = shards.read(0, np.array([0])).values[0]
    np.testing.assert_array_equal(sample[1, 0, :40, :50], values[1] + 100)


def test_a_long_series_is_cut_into_runs(tmp_path):
    dated(tmp_path / "in", [f"2020-{month:02}-01" for month in range(1, 8)])
    shard([tmp_path / "in"], tmp_path / "out", Reading(64, 0.1, 3), stack=True, workers=1)
    shards = open_shards(tmp_path / "out")
    assert [(layout.dates, count) for layout, count in zip(shards.layouts, shards.counts, strict=True)] == [
        (3, 2),
        (1, 1),
    ]
    days = [shards.read(layout, np.arange(count)).days for layout, count in enumerate(shards.counts)]
    assert len({int(day) for each in days for day in each.ravel()}) == 7
    report = shard([tmp_path / "in"], tmp_path / "out", Reading(64, 0.1, 3), stack=True, workers=1)
    assert (report.known, report.added) == (1, 0)


def test_a_table_says_places_dates_and_bands(tmp_path):
    folder = tmp_path / "data"
    dated(folder / "images", ["2020-01-01", "2020-02-01"])
    write(folder / "plain.tif", land(40, 40), crs=None, transform=None)
    write(folder / "later.tif", land(40, 40, 1), crs=None, transform=None)
    hidden = np.zeros((1, 40, 50), np.uint8)
    hidden[:, :20] = 1
    write(folder / "mask.tif", hidden)
    (folder / "table.csv").write_text(
        "Path,note,place,date,bands,clouds,stack\n"
        "images/s_2020-01-01.tif,,field,2021-07-01,,mask.tif,\n"
        "images/s_2020-02-01.tif,,field,2021-08-01T10:00:00Z,,mask.tif,\n"
        "plain.tif,,wood,,s2-l1c,,\n"
        "later.tif,,wood,2020-01-01,s2-l1c,,no\n"
        "gone.tif,,,,,,\n"
    )
    report = shard([folder / "table.csv"], tmp_path / "out", READING, workers=1)
    assert [failure.source for failure in report.manifest.failed] == ["data/gone.tif"]
    shards = open_shards(tmp_path / "out")
    by_source = {}
    for layout, count in enumerate(shards.counts):
        rows = np.arange(count)
        for source, place, row in zip(shards.sources(layout, rows), shards.places(layout).tolist(), rows, strict=True):
            by_source[source.split(",")[0]] = (place, shards.read(layout, np.array([row])))
    assert set(by_source) == {"data/images/s_2020-01-01.tif", "data/plain.tif", "data/later.tif"}
    assert by_source["data/plain.tif"][0] == by_source["data/later.tif"][0]
    place, field = by_source["data/images/s_2020-01-01.tif"]
    assert place != by_source["data/plain.tif"][0]
    assert field.days.tolist() == [[18809, 18840]]
    assert field.valid is not None
    assert not field.valid[0, :, :, :20].any()
    assert field.valid[0, :, :, 20:40, :50].all()
    assert by_source["data/plain.tif"][1].days.tolist() == [[-1]]
    assert by_source["data/later.tif"][1].days.tolist() == [[18262]]
    # the same places elsewhere are the same places
    shutil.copytree(folder, tmp_path / "copy" / "data")
    shard([tmp_path / "copy" / "data" / "table.csv"], tmp_path / "again", READING, workers=1)
    again = open_shards(tmp_path / "again")
    assert again.places(0).tolist() == shards.places(0).tolist()
    assert contents(tmp_path / "again") == contents(tmp_path / "out")


@pytest.mark.parametrize("text", ["", "picture,place\na.tif,b\n", "path\n\xff\n"])
def test_a_table_that_is_none_is_refused(tmp_path, text):
    (tmp_path / "t.csv").write_bytes(text.encode("latin-1"))
    with pytest.raises(RasterError, match=r"t\.csv: (found .*expected|cannot be read as a CSV table)"):
        find_images([tmp_path / "t.csv"])


def test_an_image_twice_in_a_stack_is_refused_before_any_is_opened(tmp_path):
    rows = ["a.tif,2020-05-01,p", "b.tif,2020-05-02,p", "a.tif,2020-05-01,p", "a.tif,2020-05-03,p"]
    (tmp_path / "t.csv").write_text("\n".join(["path,date,place", *rows]))
    with pytest.raises(RasterError, match=r"found 2 rows of place p with the image .*a\.tif and the date 2020-05-01;"):
        find_images([tmp_path / "t.csv"])
    # other dates of a file are other images
    (tmp_path / "t.csv").write_text("\n".join(["path,date,place", *rows[1:]]))
    assert [len(each.paths) for each in find_images([tmp_path / "t.csv"]).images] == [3]


def test_a_folder_of_bands_is_one_image(tmp_path):
    bands_of(tmp_path / "in" / "scene_2020-01-01", seed=3)
    (reading, out) = (Reading(64, 0.1, 12, bands="s2-l2a"), tmp_path / "out")
    shard([tmp_path / "in"], out, reading, workers=1)
    shards = open_shards(out)
    assert [band.name for band in shards.layouts[0].bands] == ["B2", "B3", "B4", "B8"]
    np.testing.assert_array_equal(shards.read(0, np.array([0])).values[0, 0, :, :48, :48], land(48, 48, 3, 4))


def test_a_link_to_itself_is_neither_a_folder_nor_a_file(tmp_path):
    scene(tmp_path / "in" / "images" / "a.tif", 20, 20)
    for name in ("loop", "loop.tif", "images/loop"):
        (tmp_path / "in" / name).symlink_to(Path(name).name)
    assert [image.name for image in find_images([tmp_path / "in"]).images] == ["in/images/a.tif"]


def test_a_preview_beside_bands_is_no_image(demo_scene, tmp_path):
    """A scene of 13 bands on three grids and a preview of three."""
    folder = tmp_path / "scene"
    shutil.copytree(demo_scene, folder)
    write(folder / "preview.tif", distinct(3, 43, 43, "uint8"))
    (image,) = find_images([folder]).images
    assert image.paths == (str(folder),)
