"""Windows and grids: arithmetic, and metres on the ground."""

import math
import pickle

import numpy as np
import pytest
from affine import Affine
from hypothesis import given
from hypothesis import strategies as st
from rasterio.crs import CRS

from spectralgpt.raster import Grid, Window

at = st.integers(-200, 200)
sizes = st.integers(1, 150)
windows = st.builds(Window, at, at, sizes, sizes)
UTM = CRS.from_epsg(32618).to_wkt()
grids = st.builds(
    Grid,
    st.just(UTM),
    st.builds(lambda s, x, y: Affine(s, 0, x, 0, -s, y), st.sampled_from([10.0, 20.0, 0.6]), at, at),
    sizes,
    sizes,
)


def pixels(window: Window) -> set[tuple[int, int]]:
    return {
        (row, column) for row in range(window.row, window.end_row) for column in range(window.column, window.end_column)
    }


@given(st.builds(Window, *[st.integers(-8, 8)] * 2, *[st.integers(1, 8)] * 2), st.data())
def test_windows_are_sets_of_pixels(one, data):
    two = data.draw(st.builds(Window, *[st.integers(-8, 8)] * 2, *[st.integers(1, 8)] * 2))
    both = one.intersection(two)
    assert (pixels(both) if both else set()) == pixels(one) & pixels(two)
    assert both == two.intersection(one)
    assert one.contains(two) is (pixels(two) <= pixels(one))
    assert two.seen_from(one).shifted(one.row, one.column) == two
    assert one.seen_from(one) == Window(0, 0, *one.shape)


def test_slices_cut_what_the_window_says():
    array = np.arange(2 * 6 * 7).reshape(2, 6, 7)
    window = Window(1, 2, 3, 4)
    assert np.array_equal(array[(..., *window.slices)], array[:, 1:4, 2:6])
    with pytest.raises(ValueError, match="before the array"):
        _ = Window(-1, 0, 3, 3).slices


@pytest.mark.parametrize("sizes", [(0, 0, 0, 5), (0, 0, 5, -1)])
def test_an_empty_window_is_refused(sizes):
    with pytest.raises(ValueError, match="at least one pixel"):
        Window(*sizes)


@given(grids, windows, windows)
def test_a_window_of_a_window_is_one_window(grid, outer, inner):
    nested = grid.window(outer).window(inner)
    direct = grid.window(inner.shifted(outer.row, outer.column))
    assert nested.coincides(direct)
    assert nested.shape == inner.shape


@given(grids, st.integers(1, 16))
def test_a_coarser_grid_covers_the_same_ground(grid, factor):
    coarse = grid.coarsened(factor)
    assert coarse.shape == (math.ceil(grid.height / factor), math.ceil(grid.width / factor))
    assert (coarse.transform.c, coarse.transform.f) == (grid.transform.c, grid.transform.f)
    assert coarse.pixel_area == pytest.approx(grid.pixel_area * factor**2)


def test_a_grid_compares_hashes_and_pickles():
    grid = Grid(UTM, Affine(10, 0, 0, 0, -10, 0), 5, 6)
    assert pickle.loads(pickle.dumps(grid)) == grid
    assert len({grid, Grid(UTM, Affine(10, 0, 0, 0, -10, 0), 5, 6)}) == 1
    with pytest.raises(ValueError, match="at least one pixel"):
        Grid(UTM, Affine.identity(), 0, 6)


def test_grids_that_differ_by_rounding_coincide():
    grid = Grid(UTM, Affine(10, 0, 435730, 0, -10, 4179460), 500, 600)

    def moved(by: float) -> Grid:
        return Grid(UTM, Affine(10, 0, 435730 + by, 0, -10, 4179460), 500, 600)

    assert grid.coincides(moved(1e-6))
    assert not grid.coincides(moved(5))
    assert not grid.coincides(Grid(CRS.from_epsg(32619).to_wkt(), grid.transform, 500, 600))
    assert not grid.coincides(Grid(None, grid.transform, 500, 600))
    stretched = Grid(UTM, Affine(10.001, 0, 435730, 0, -10, 4179460), 500, 600)
    assert not grid.coincides(stretched), "0.6 pixels off at the far end"


@pytest.mark.parametrize(
    ("crs", "transform", "metres"),
    [
        (32618, Affine(10, 0, 435730, 0, -10, 4179460), 10.0),
        (3857, Affine(10, 0, 0, 0, -10, 6446275.84), 6.43),  # 50 degrees north
        (3857, Affine(10, 0, 0, 0, -10, 0), 9.98),
        (4326, Affine(1e-4, 0, 2, 0, -1e-4, 48.85), math.sqrt(7.335 * 11.121)),
        (4326, Affine(1e-4, 0, 179.9995, 0, -1e-4, 0), math.sqrt(11.132 * 11.057)),  # across the date line
    ],
)
def test_metres_on_the_ground(crs, transform, metres):
    grid = Grid(CRS.from_epsg(crs).to_wkt(), transform, 10, 10)
    assert grid.gsd == pytest.approx(metres, rel=2e-3)


def test_a_turned_pixel_has_its_size():
    turned = Affine(8, 6, 435730, 6, -8, 4179460)
    assert Grid(UTM, turned, 100, 100).gsd == pytest.approx(10, rel=1e-3)


def test_nowhere_on_earth_is_not_a_number():
    assert math.isnan(Grid(None, Affine(10, 0, 0, 0, -10, 0), 5, 5).gsd)
    local = 'LOCAL_CS["a map of mine",UNIT["metre",1]]'
    assert math.isnan(Grid(local, Affine(10, 0, 0, 0, -10, 0), 5, 5).gsd)
