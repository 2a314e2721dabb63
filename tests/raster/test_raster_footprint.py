"""The outline of an image in longitude and latitude."""

import itertools
import struct

import pytest
from affine import Affine
from rasterio.crs import CRS

from spectralgpt.raster import Grid, footprint


def wkt(code):
    return CRS.from_epsg(code).to_wkt()


def test_corners_of_a_grid_in_degrees():
    grid = Grid(wkt(4326), Affine(0.5, 0, 10, 0, -0.25, 50), height=4, width=2)
    found = footprint(grid)
    assert found.corners == ((10, 50), (11, 50), (11, 49), (10, 49))
    assert found.bounds == (10, 49, 11, 50)


@pytest.mark.parametrize("step", [-0.25, 0.25])
def test_the_ring_is_closed_and_runs_against_the_clock(step):
    ring = footprint(Grid(wkt(4326), Affine(0.5, 0, 10, 0, step, 50), height=4, width=2)).ring
    assert ring[0] == ring[-1]
    assert len(ring) == 5
    area = sum(a[0] * b[1] - b[0] * a[1] for a, b in itertools.pairwise(ring))
    assert area > 0


def test_well_known_binary_is_a_polygon():
    found = footprint(Grid(wkt(4326), Affine(1, 0, 0, 0, -1, 0), height=1, width=1))
    order, kind, rings, points = struct.unpack("<BIII", found.wkb[:13])
    assert (order, kind, rings, points) == (1, 3, 1, 5)
    assert struct.unpack("<10d", found.wkb[13:])[:2] == found.ring[0]
    assert found.wkt.startswith("POLYGON ((")
    assert found.wkt.count(",") == 4


def test_an_image_across_the_date_line_is_one_piece():
    grid = Grid(wkt(32701), Affine(10, 0, 160_000, 0, -10, 8_000_000), height=100, width=2_000)
    west, _, east, _ = footprint(grid).bounds
    assert 0 < east - west < 1
    crossing = Grid(wkt(32701), Affine(1000, 0, 100_000, 0, -1000, 8_000_000), height=10, width=200)
    west, _, east, _ = footprint(crossing).bounds
    assert 1 < east - west < 3


def test_without_a_place_there_is_no_outline():
    assert footprint(Grid(None, Affine.identity(), 4, 4)) is None
    local = 'LOCAL_CS["a quarry",UNIT["metre",1]]'
    assert footprint(Grid(local, Affine(1, 0, 0, 0, -1, 0), 4, 4)) is None
