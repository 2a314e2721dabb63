"""How far two dates lie from one another, on real pairs with known shifts added, and the second moved back."""

import math
from pathlib import Path

import numpy as np
import pytest
from affine import Affine
from made_rasters import NAMES, PLACE, land, write
from real_rasters import real

from spectralgpt.bands import sensor
from spectralgpt.products import as_pixels, open_pair, open_raster
from spectralgpt.raster import DateShift, Window, aligned, date_shift, raster_of
from spectralgpt.raster.grid import composed
from spectralgpt.raster.shift import block_shift

RED = sensor("s2-l1c").bands[3]


def grey(path: Path, bands: str) -> np.ndarray:
    """Mean reflectance of three visible bands."""
    with open_raster(path, bands=bands) as raster:
        return raster.read().reflectance()[0].mean(axis=0)


def measured(before: np.ndarray, after: np.ndarray) -> DateShift:
    """Of two images in memory, NaN where not valid."""
    both = np.stack([before, after])[:, None].astype(np.float32)
    pixels = as_pixels(both, bands=[RED], scale=1.0, offset=0.0, dates=["2020-05-01", "2021-05-01"], trust_input=True)
    return date_shift(raster_of(pixels))


def moved(image: np.ndarray, rows: int, columns: int, border: int = 20) -> np.ndarray:
    """The inner part of the image, with its content moved down and right by whole pixels."""
    rolled = np.roll(image, (rows, columns), (0, 1))
    return rolled[border:-border, border:-border]


def averaged(image: np.ndarray, rows: int, columns: int, side: int = 3) -> np.ndarray:
    """Means of side x side pixels, with the content moved by rows / side and columns / side of these."""
    rolled = np.roll(image, (rows, columns), (0, 1))
    height, width = (size // side * side for size in rolled.shape)
    return rolled[:height, :width].reshape(height // side, side, width // side, side).mean(axis=(1, 3))


PAIRS = {
    "bercy, winter and summer": ("oscd/bercy/imgs_1", "oscd/bercy/imgs_2", "s2-l1c:B02,B03,B04"),
    "rennes": ("oscd/rennes/imgs_1", "oscd/rennes/imgs_2", "s2-l1c:B02,B03,B04"),
    "paris, a cloud": ("oscd/paris/imgs_1", "oscd/paris/imgs_2", "s2-l1c:B02,B03,B04"),
    "montpellier, summer and autumn": (
        "s2_l1c_scenes/oscd_montpellier_2015-08-12.tif",
        "s2_l1c_scenes/oscd_montpellier_2017-10-30.tif",
        None,
    ),
}


@pytest.fixture(scope="module", params=PAIRS)
def pair(request) -> tuple[np.ndarray, np.ndarray]:
    before, after, bands = PAIRS[request.param]
    found = []
    for path in (real(before), real(after)):
        with open_raster(path, bands=bands) as raster:
            visible = [i for i, band in enumerate(raster.bands) if 450 < band.wavelength < 690]
            found.append(raster.read().reflectance()[0, visible].mean(axis=0))
    return found[0], found[1]


@pytest.mark.parametrize("shift", [(1, -2), (7, 3), (-12, 15)])
def test_whole_pixels_on_real_pairs(pair, shift):
    """The pair has a shift of its own, which is measured without the one that is added."""
    before, after = pair
    own = measured(moved(before, 0, 0), moved(after, 0, 0))
    found = measured(moved(before, 0, 0), moved(after, *shift))
    assert not own.missing, own
    assert not found.missing, found
    assert max(own.spread) < 0.2
    assert found.rows - own.rows == pytest.approx(shift[0], abs=0.1)
    assert found.columns - own.columns == pytest.approx(shift[1], abs=0.1)


@pytest.mark.parametrize("shift", [(1, 0), (0, 2), (4, 5)])
def test_thirds_of_a_pixel_on_real_pairs(pair, shift):
    before, after = pair
    own = measured(averaged(before, 0, 0), averaged(after, 0, 0))
    found = measured(averaged(before, 0, 0), averaged(after, *shift))
    assert found.rows - own.rows == pytest.approx(shift[0] / 3, abs=0.2)
    assert found.columns - own.columns == pytest.approx(shift[1] / 3, abs=0.2)


IMAGES = {
    "Sentinel-2 L1C": ("s2_l1c_scenes/copernicusfm_nz_T60HWB_2020-10-02.tif", None),
    "HLS": ("hls/hlss30_romania_52002694.tif", None),
    "Landsat": ("hls/hlsl30_texas.tif", None),
    "L1C of a city": ("oscd/bercy/imgs_1", "s2-l1c:B02,B03,B04"),
}


@pytest.fixture(scope="module", params=IMAGES)
def image(request) -> np.ndarray:
    path, bands = IMAGES[request.param]
    with open_raster(real(path), bands=bands) as raster:
        visible = [i for i, band in enumerate(raster.bands) if 450 < band.wavelength < 690]
        pixels = raster.read()
        values = pixels.reflectance()[0, visible].mean(axis=0)
        return values if pixels.valid is None else np.where(pixels.valid[0, visible].all(axis=0), values, np.nan)


def test_no_shift_is_exactly_none(image):
    found = measured(image, image)
    assert (found.rows, found.columns) == (0, 0)
    assert not found.is_large


def test_noise_haze_and_contrast_leave_the_shift(image):
    noise = np.random.default_rng(0).normal(0, 0.1 * np.nanstd(image), image.shape)
    found = measured(moved(image, 0, 0), moved(0.05 + 0.6 * image + noise, 3, -4))
    assert (found.rows, found.columns) == (pytest.approx(3, abs=0.05), pytest.approx(-4, abs=0.05))
    assert found.is_large


def test_the_other_way_round_is_the_opposite(image):
    there = measured(moved(image, 0, 0), moved(image, 2, -5))
    back = measured(moved(image, 2, -5), moved(image, 0, 0))
    assert (there.rows, there.columns) == (pytest.approx(-back.rows, abs=0.02), pytest.approx(-back.columns, abs=0.02))


@pytest.mark.parametrize("hole", ["of one date", "of both dates at one place"])
def test_nodata_does_not_draw_the_shift_to_its_edges(image, hole):
    """What both dates lack at one place has edges there that did not move."""
    before, after = moved(image, 0, 0).copy(), moved(image, 2, 3).copy()
    r, c = np.indices(before.shape)
    without = ((r // 40 + c // 40) % 3) == 0
    after[without] = np.nan
    if hole == "of both dates at one place":
        before[without] = np.nan
    found = measured(before, after)
    assert (found.rows, found.columns) == (pytest.approx(2, abs=0.1), pytest.approx(3, abs=0.1)), found


def test_clouds_over_a_third_are_outvoted(image):
    before, after = moved(image, 0, 0), moved(image, 2, 3).copy()
    rng = np.random.default_rng(1)
    cloud = np.kron(rng.random((-(-after.shape[0] // 16), -(-after.shape[1] // 16))), np.ones((16, 16)))
    third = after.shape[1] // 3
    after[:, :third] = 0.5 + 0.3 * cloud[: after.shape[0], :third]
    found = measured(before, after)
    assert (found.rows, found.columns) == (pytest.approx(2, abs=0.1), pytest.approx(3, abs=0.1)), found


@pytest.mark.parametrize(
    ("before", "after", "words"),
    [
        pytest.param((40, 300), (40, 300), "at least 48", id="too small"),
        pytest.param("flat", "flat", "too little texture", id="no texture"),
        pytest.param("noise 1", "noise 2", "the same ground", id="nothing in common"),
        pytest.param("noise 1", "nothing", "valid to 50%", id="nothing valid"),
    ],
)
def test_what_cannot_be_measured_is_said(before, after, words):
    def made(what) -> np.ndarray:
        if isinstance(what, tuple):
            return np.random.default_rng(0).random(what)
        if what.startswith("noise"):
            return np.random.default_rng(int(what[-1])).random((300, 300))
        return np.full((300, 300), 0.1 if what == "flat" else np.nan)

    found = measured(made(before), made(after))
    assert math.isnan(found.rows)
    assert math.isnan(found.columns)
    assert not found.is_large
    assert words in str(found)
    assert str(found).startswith("not measured (")


def test_two_other_places_have_no_shift():
    one = grey(real("oscd/bercy/imgs_1"), "s2-l1c:B02,B03,B04")
    with open_raster(real("s2_l1c_scenes/copernicusfm_nz_T60HWB_2020-10-02.tif")) as raster:
        other = raster.read().reflectance()[0, 1:4].mean(axis=0)
    rows, columns = (min(sizes) for sizes in zip(one.shape, other.shape, strict=True))
    found = measured(one[:rows, :columns], other[:rows, :columns])
    assert found.missing, found


def test_a_hill_that_turns_makes_blocks_disagree():
    """The upper half moved down, the lower half up: the median of both would be a lie."""
    rng = np.random.default_rng(3)
    before = rng.random((300, 300))
    after = np.concatenate([np.roll(before[:150], 6, 0), np.roll(before[150:], -6, 0)])
    found = measured(before, after)
    assert "disagree" in found.missing


def test_block_shift_is_to_the_image_s_rows_and_columns():
    before = np.random.default_rng(0).random((96, 64))
    assert block_shift(before, np.roll(before, (9, -4), (0, 1))) == (pytest.approx(9), pytest.approx(-4))
    assert block_shift(before, np.random.default_rng(1).random((96, 64))) is None


# -- of files, and moved back --


def written_pair(tmp_path: Path, rows: int, columns: int, **how) -> tuple[Path, Path]:
    """Two files of one place, the content of the second moved by whole pixels."""
    whole = land(240, 220)
    inner = whole[:, 20:-20, 20:-20]
    shifted = np.roll(whole, (rows, columns), (1, 2))[:, 20:-20, 20:-20]
    before = write(tmp_path / "before_2020-05-01.tif", inner, names=NAMES, nodata=0.0)
    return before, write(tmp_path / "after_2021-05-01.tif", shifted, names=NAMES, nodata=0.0, **how)


def test_metres_are_those_of_rows_and_columns(tmp_path):
    with open_pair(*written_pair(tmp_path, 3, -2)) as raster:
        found = date_shift(raster)
    assert (found.rows, found.columns) == (pytest.approx(3, abs=0.02), pytest.approx(-2, abs=0.02))
    assert found.metres == (pytest.approx(30, rel=0.01), pytest.approx(-20, rel=0.02))
    assert "(+3.00, -2.00)" in str(found)
    assert " m" in str(found)


@pytest.mark.parametrize("shift", [(3, -2), (-1, 0), (0, 5)])
def test_a_whole_shift_is_taken_back_to_the_bit(tmp_path, shift):
    before, after = written_pair(tmp_path, *shift)
    with open_pair(before, after) as raster:
        back = aligned(raster, DateShift(float(shift[0]), float(shift[1]), (0.0, 0.0), 1, 1)).read()
    edge = max(map(abs, shift))
    inner = (slice(None), slice(edge, -edge), slice(edge, -edge))
    np.testing.assert_array_equal(back.values[1][inner], back.values[0][inner])
    assert back.valid is not None, "what the second date does not cover any more is not valid"
    rows, columns = np.indices(back.valid.shape[2:])
    beyond = (rows + shift[0] < 0) | (rows + shift[0] >= 200) | (columns + shift[1] < 0) | (columns + shift[1] >= 180)
    np.testing.assert_array_equal(back.valid[1, 0], ~beyond)
    assert back.valid[0].all()


def test_half_a_pixel_is_interpolated_and_nodata_stays(tmp_path):
    before, after = written_pair(tmp_path, 0, 0)
    with open_pair(before, after) as raster:
        one = raster.read().values[1].astype(float)
        back = aligned(raster, DateShift(0.5, 0.0, (0.0, 0.0), 1, 1)).read()
    np.testing.assert_allclose(back.values[1][:, :-1], (one[:, :-1] + one[:, 1:]) / 2, atol=0.51)
    holed = land(200, 180)
    holed[:, 50:60, 70:90] = 0
    write(after, holed, names=NAMES, nodata=0.0)
    with open_pair(before, after) as raster:
        back = aligned(raster, DateShift(1.5, 0.0, (0.0, 0.0), 1, 1)).read()
    assert back.valid is not None
    hole = ~back.valid[1, 0, :-2]
    assert hole[49:57, 70:90].all()
    assert hole.sum() == 200, "the hole keeps its size"
    assert back.values[1][:, :-2][:, ~hole].min() > 50, "no nodata is mixed in"


def test_grids_of_other_bands_and_crs_move_by_the_same_ground(tmp_path):
    """The second date with pixels of 20 m from another corner, and in degrees: moved by three pixels of the first."""
    before, _ = written_pair(tmp_path, 0, 0)
    coarse = write(
        tmp_path / "coarse_2021-05-01.tif",
        land(100, 90),
        names=NAMES,
        transform=composed(PLACE, Affine.scale(2)),
    )
    with open_pair(before, coarse) as raster:
        back = aligned(raster, DateShift(3.0, -2.0, (0.0, 0.0), 1, 1))
        grid = back.layers[1][0].grid
        assert (grid.transform.c, grid.transform.f) == (PLACE.c + 20, PLACE.f + 30)
        assert back.layers[0] == raster.layers[0]
    degrees = Affine(1.1e-4, 0.0, -75.735, 0.0, -0.9e-4, 37.7605)
    other = write(tmp_path / "degrees_2021-05-01.tif", land(220, 220), names=NAMES, crs="EPSG:4326", transform=degrees)
    with open_pair(before, other) as raster:
        back = aligned(raster, DateShift(3.0, -2.0, (0.0, 0.0), 1, 1))
        east = back.layers[1][0].grid.transform.c - degrees.c
        north = back.layers[1][0].grid.transform.f - degrees.f
    assert east * 111320 * math.cos(math.radians(37.76)) == pytest.approx(20, abs=0.4)
    assert north * 111000 == pytest.approx(30, abs=0.4)


def test_a_measured_shift_of_files_is_taken_back(tmp_path):
    with open_pair(*written_pair(tmp_path, 4, 1)) as raster:
        found = date_shift(aligned(raster, date_shift(raster)))
    assert (found.rows, found.columns) == (pytest.approx(0, abs=0.02), pytest.approx(0, abs=0.02))


def test_blocks_are_read_only(tmp_path, monkeypatch):
    """Of a large image, 25 blocks, and the visible bands alone."""
    from spectralgpt.raster.raster import Raster

    seen: list[tuple[Window | None, int]] = []
    read = Raster.read

    def noted(self, window=None):
        seen.append((window, len(self.bands)))
        return read(self, window)

    monkeypatch.setattr(Raster, "read", noted)
    values = np.tile(land(250, 250, bands=3), (1, 4, 4))
    names = ("B2", "B3", "B4")
    pair = [
        write(tmp_path / f"{name}.tif", np.concatenate([values, values[:2]]), names=(*names, "B8", "B12"), nodata=0.0)
        for name in ("before", "after")
    ]
    with open_pair(*pair, bands="s2-l1c") as raster:
        date_shift(raster)
    assert len(seen) == 25
    assert {(window.shape, bands) for window, bands in seen if window is not None} == {((128, 128), 3)}
