"""The demo's two scenes, and its points on them."""

import numpy as np
import rasterio
from rasterio.windows import from_bounds

import spectralgpt as sg
from spectralgpt.verbs._demo_map import labelled_points
from spectralgpt.verbs.demo import POINTS

CROP = sg.Window(292, 467, 516, 516)  # of the large scene's pixels of 10 m
BANDS = ("B01", "B02", "B03", "B04", "B05", "B06", "B07", "B08", "B8A", "B09", "B10", "B11", "B12")


def test_packaged_scene_has_the_values_of_the_large_one(demo_scene, large_scene):
    for band in BANDS:
        with (
            rasterio.open(demo_scene / f"s2_{band}.tif") as crop,
            rasterio.open(large_scene / f"s2_{band}.jp2") as large,
        ):
            window = from_bounds(*crop.bounds, large.transform)
            assert all(float(number).is_integer() for number in window.flatten())
            assert (crop.crs, crop.res, crop.dtypes) == (large.crs, large.res, large.dtypes), band
            np.testing.assert_array_equal(crop.read(1), large.read(1, window=window), err_msg=band)


def test_packaged_scene_opens_like_the_large_one(demo_scene, large_scene):
    with sg.open_raster(demo_scene) as crop, sg.open_raster(large_scene) as large:
        assert (crop.sensor, crop.bands) == (large.sensor, large.bands)
        assert (crop.scale, crop.offset) == (large.scale, large.offset)
        assert (crop.nodata, crop.dtype) == (large.nodata, large.dtype)
        assert crop.grid == large.grid.window(CROP)
        # away from the crop's edge, where resampling sees the same neighbours; a half may round either way
        inside = sg.Window(128, 128, 256, 256)
        there = large.read(inside.shifted(CROP.row, CROP.column)).values
        np.testing.assert_allclose(crop.read(inside).values.astype(int), there.astype(int), rtol=0, atol=1)


def test_packaged_scene_is_small(demo_scene):
    assert sum(file.stat().st_size for file in demo_scene.iterdir()) < 2_000_000


def test_points_lie_on_both_scenes(demo_scene, large_scene):
    for scene, fewest, classes in ((demo_scene, 31, 6), (large_scene, 67, 7)):
        with sg.open_raster(scene) as raster:
            places = raster.grid.coarsened(8)
        points = labelled_points(POINTS, places)
        assert len(points) == fewest
        assert len(set(points.labels.tolist())) == classes
        assert len(set(zip(points.rows.tolist(), points.columns.tolist(), strict=True))) == fewest
