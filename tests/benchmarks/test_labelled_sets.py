"""Labelled sets of real images: cut to the pixel, grouped by place, nothing written into the data folder."""

import csv
import hashlib
import sys
from pathlib import Path

import numpy as np
import pytest
import rasterio
from affine import Affine
from made_rasters import PLACE, distinct, write
from rasterio.windows import Window

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "benchmarks"))

from cut_images import clipped, cut, linked, metres_apart, patches, read_codes, write_codes  # noqa: E402
from labelled_sets import SETS, labelled_sets  # noqa: E402


@pytest.mark.parametrize(
    ("shape", "expected"),
    [
        ((64, 64), [(0, 0)]),
        ((130, 70), [(1, 3), (65, 3)]),
        ((33, 129), [(-15, 0), (-15, 64)]),  # -15.5, rounded up or down
    ],
)
def test_patches_lie_in_the_middle(shape, expected):
    found = [(window.row_off, window.col_off) for window in patches(shape, 64)]
    assert found == expected or found == [(row - 1 if row < 0 else row, column) for row, column in expected]
    for window in patches(shape, 64):
        rows, columns = clipped(window, shape)
        assert 0 <= rows.start < rows.stop <= shape[0]
        assert 0 <= columns.start < columns.stop <= shape[1]


def test_a_cut_keeps_what_the_file_says(tmp_path):
    values = distinct(3, 20, 30)
    source = write(
        tmp_path / "a.tif", values, nodata=0, names=("B2", "B3", None), scales=(1e-4,) * 3, tags={"DATE": "2020-09-15"}
    )
    cut(source, tmp_path / "cuts" / "b.tif", Window(25, 4, 10, 8))
    with rasterio.open(tmp_path / "cuts" / "b.tif") as dataset:
        assert dataset.crs == "EPSG:32618"
        assert dataset.transform == Affine(10, 0, PLACE.c + 250, 0, -10, PLACE.f - 40)
        assert (dataset.nodata, dataset.descriptions, dataset.scales) == (0, ("B2", "B3", None), (1e-4,) * 3)
        assert dataset.tags()["DATE"] == "2020-09-15"
        expected = np.zeros((3, 8, 10), np.uint16)
        expected[:, :, :5] = values[:, 4:12, 25:]
        np.testing.assert_array_equal(dataset.read(), expected)


def test_a_window_beyond_an_image_without_nodata_is_refused(tmp_path):
    source = write(tmp_path / "a.tif", distinct(1, 20, 30))
    with pytest.raises(ValueError, match="reaches beyond it, and it has no nodata"):
        cut(source, tmp_path / "b.tif", Window(25, 0, 10, 10))


def test_masks_are_written_without_nodata(tmp_path):
    image = write(tmp_path / "image.tif", distinct(1, 4, 5))
    mask = write(tmp_path / "mask.tif", (distinct(1, 4, 5) % 3).astype(np.uint8), nodata=0)
    write_codes(tmp_path / "new.tif", read_codes(mask), image)
    with rasterio.open(tmp_path / "new.tif") as dataset, rasterio.open(mask) as before:
        assert dataset.nodata is None
        assert (dataset.crs, dataset.transform) == (before.crs, before.transform)
        np.testing.assert_array_equal(dataset.read(), before.read())


def test_images_within_a_kilometre_are_one_place():
    # 0.01 degrees: 1113 m along a meridian, 557 m along the parallel of 60 degrees
    squares = [(15.0, 60.0, 15.01, 60.01), (15.02, 60.0, 15.03, 60.01), (15.0, 60.025, 15.01, 60.03)]
    assert metres_apart(squares[0], squares[1]) == pytest.approx(557, abs=2)
    assert metres_apart(squares[0], squares[2]) == pytest.approx(1670, abs=2)
    assert metres_apart(squares[0], squares[0]) == 0
    assert linked(squares, "site") == ["site_000", "site_000", "site_002"]
    chain = [(15.0, north, 15.001, north + 0.001) for north in (50.019, 50.0, 50.0095)]  # 2.1 km from end to end
    assert len(set(linked(chain, "site"))) == 1
    assert len(set(linked(chain[:2], "site"))) == 2


@pytest.fixture(scope="module")
def made(shared, tmp_path_factory):
    work = tmp_path_factory.mktemp("sets")
    data = shared / "data"
    before = _listing(data)
    sets = {each.name: each for each in labelled_sets(data, work)}
    assert _listing(data) == before
    return sets


def _listing(folder: Path) -> str:
    files = sorted((str(path), path.stat().st_mtime_ns, path.stat().st_size) for path in folder.rglob("*"))
    return hashlib.sha256(repr(files).encode()).hexdigest()


def test_the_sets_of_the_results(made):
    assert list(made) == list(SETS)
    found = {name: (each.target, each.samples, each.groups) for name, each in made.items()}
    assert found == {
        "eurosat": ("class", 120, 118),
        "eurosat_more": ("class", 500, 282),
        "forest_classes": ("classes", 142, 69),
        "land_cover": ("classes", 154, 27),
        "water": ("mask", 108, 24),
        "forest": ("mask", 115, 106),
        "landslides": ("mask", 16, 12),
        "oscd": ("change", 10, 10),
        "damage": ("change", 114, 105),
        "nanjing": ("change", 16, 16),
    }
    # as their READMEs count them
    assert set(made["eurosat"].counts.values()) == {12}
    assert made["forest"].counts["coniferous"] == 262_843
    assert made["landslides"].counts["landslide"] == 7594
    assert made["nanjing"].counts == {"no change": 12_393, "change": 2363}


@pytest.mark.filterwarnings("ignore::rasterio.errors.NotGeoreferencedWarning")
def test_files_of_tables_exist_and_masks_fit(made):
    for each in made.values():
        if not each.source.endswith(".csv"):
            continue
        folder = Path(each.source).parent
        with open(each.source, newline="") as file:
            rows = list(csv.DictReader(file))
        assert len(rows) == each.samples
        for row in rows:
            paths = [folder / row[column] for column in ("image", "after", "mask") if column in row]
            shapes = set()
            for path in paths:
                with rasterio.open(path) as dataset:
                    shapes.add(dataset.shape)
            assert len(shapes) == 1, row


def test_patches_of_forests_hold_the_pixels_of_their_sites(made, shared):
    folder = Path(made["forest_classes"].source).parent
    for path in sorted((folder / "images").iterdir())[::20]:
        site = path.name.split("_")[0]
        with (
            rasterio.open(path) as patch,
            rasterio.open(shared / "data/bark_beetle_s2/images_2020" / f"geojson_{site}.tif") as image,
        ):
            assert patch.shape == (64, 64)
            row, column = image.index(*patch.xy(0, 0))
            inside = clipped(Window(column, row, 64, 64), image.shape)
            found = patch.read()
            own = tuple(slice(s.start - at, s.stop - at) for s, at in zip(inside, (row, column), strict=True))
            np.testing.assert_array_equal(found[:, *own], image.read()[:, *inside])
            found[:, *own] = 0
            assert not found.any()


def test_the_data_folder_is_never_a_work_folder(shared):
    with pytest.raises(ValueError, match="lies in the data folder"):
        labelled_sets(shared / "data", shared / "data" / "new")
