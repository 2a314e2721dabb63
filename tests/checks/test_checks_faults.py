"""Faults made in usual images, of several sensors and types: each is found, named, and its advice works."""

import re

import numpy as np
import pytest
from made_rasters import write
from real_rasters import real

from spectralgpt.bands import sensor
from spectralgpt.checks import check, flags_of
from spectralgpt.checks.flags import listed
from spectralgpt.checks.shift import PixelShift, clear_shift, notes_on_dates, shifted
from spectralgpt.checks.suspicions import suspicions
from spectralgpt.checks.units import likeliest, notes_on_fractions
from spectralgpt.errors import RasterError
from spectralgpt.products import open_raster
from spectralgpt.raster.sampling import sample
from usual_images import NAMES, SURFACE, TOA, kinds, sampled, usual

LANDSAT = sensor("landsat8-c1sr")
OLI = ("B2", "B3", "B4", "B5", "B6", "B7")
AS_OLI = [1, 2, 3, 8, 10, 11]
"""Of the 12 bands of `usual(of=SURFACE)`, those that resemble OLI's."""


def image(path, values: np.ndarray, dtype: str, bands=NAMES, **how):
    """A file of stored values (band, pixel) in this type."""
    side = int(np.sqrt(values.shape[1]))
    values = values[:, : side * side].reshape(len(values), side, side)
    whole = np.dtype(dtype).kind in "iu"
    return write(path, (np.round(values) if whole else values).astype(dtype), names=bands, **how)


# units


@pytest.mark.parametrize(
    ("factor", "scale", "name"),
    [
        (100, 1e-4, "percent"),
        (1000, 1e-4, "1000 times reflectance"),
        (255, 1e-4, "0 to 255"),
        (65535, 1e-4, "stretched to 16 bits"),
        (10, 1.0, "10 times reflectance"),
        (0.1, 1.0, "a tenth of reflectance"),
        (10_000, 2.75e-5, "10000 times reflectance"),
    ],
)
def test_the_likeliest_factor_is_named(factor, scale, name):
    (found, *_) = likeliest(factor, 0.6 * factor, 0.8 * factor, scale)
    assert found.name == name
    assert found.scale == pytest.approx(1 / factor)
    for brighter in (0.8, 1.2):
        assert likeliest(brighter * factor, brighter * 0.7 * factor, 0.9 * factor, scale)[0].name == name


@pytest.mark.parametrize(
    ("factor", "largest", "names"),
    [
        (174, 71.6, ["percent", "0 to 255"]),  # a bright scene in percent, or a dark one
        (174, 254.0, ["0 to 255"]),  # 2.5 times reflectance would be percent
        (174, 140.0, ["0 to 255", "percent"]),
        (620, 255.0, ["0 to 255"]),  # the largest value shows it
        (620, 248.0, ["0 to 255", "1000 times reflectance"]),
        (620, 300.0, ["1000 times reflectance"]),  # beyond 255
        (30, 12.0, ["10 times reflectance", "percent"]),
        (20_000, 65_535.0, ["stretched to 16 bits"]),
        (0.1, 0.06, ["a tenth of reflectance"]),
    ],
)
def test_the_largest_value_decides_between_two_units(factor, largest, names):
    assert [each.name for each in likeliest(factor, 0.95 * largest, largest, 1e-4)] == names


@pytest.mark.parametrize(
    ("brighter", "times", "of", "dtype"),
    [(1.74, 100, SURFACE, "float32"), (1.5, 100, TOA, "float64"), (2, 100, LANDSAT, "float32")],
)
def test_a_bright_scene_in_percent_is_named_with_0_to_255(tmp_path, brighter, times, of, dtype):
    values = usual(of=SURFACE)[AS_OLI] if of == LANDSAT else usual(of=of)
    values = (values * brighter).clip(0, 0.8) * times
    path = image(tmp_path / "a.tif", values, dtype, OLI if of == LANDSAT else of.names)
    with open_raster(path, bands=of.name) as raster:
        (flag,) = [flag for flag in check(raster, trust=True).flags if flag.kind in ("units", "scale")]
    assert "They look like percent or 0 to 255: its provider knows which." in flag.text
    assert "scale = 0.01`" in flag.text
    assert "0.00392157 as scale" in flag.text


@pytest.mark.parametrize(("of", "end", "dtype"), [(SURFACE, 255, "float32"), (TOA, 255, "uint16"), (TOA, 65535, "uint16")])
def test_a_largest_value_of_255_or_65535_is_telling(tmp_path, of, end, dtype):
    values = usual(of=of)
    path = image(tmp_path / "a.tif", values / values.max() * end, dtype, of.names)
    with open_raster(path, bands=of.name) as raster:
        (flag,) = [flag for flag in check(raster, trust=True).flags if flag.kind in ("units", "scale")]
    assert f"They look like {'0 to 255' if end == 255 else 'stretched to 16 bits'}, and end at {end}" in flag.text


def test_numbers_that_only_an_offset_makes_negative_get_advice(tmp_path):
    path = image(tmp_path / "a.tif", usual(of=SURFACE)[AS_OLI] * 1e4, "uint16", OLI)
    with open_raster(path, bands="landsat8-c2l2") as raster:
        (flag,) = [flag for flag in check(raster, trust=True).flags if flag.kind == "units"]
    assert "They look like 10000 times reflectance" in flag.text


@pytest.mark.parametrize(
    ("factor", "dtype", "of"),
    [(100, "float32", TOA), (1000, "float64", SURFACE), (255, "float32", SURFACE), (65535, "uint16", TOA)],
)
def test_the_advice_on_units_works(tmp_path, factor, dtype, of):
    names = NAMES if of == TOA else of.names
    path = image(tmp_path / "a.tif", usual(of=of).clip(0, 0.99) * factor, dtype, names)
    with open_raster(path, bands=of.name) as raster:
        (flag,) = [flag for flag in check(raster, trust=True).flags if flag.kind in ("units", "scale")]
    mine = tmp_path / "mine.toml"
    mine.write_text("\n".join(re.findall(r"`(\w+ = [^`]+)`", flag.text)))
    with open_raster(path, bands=str(mine)) as raster:
        assert not {"units", "scale", "offset"} & {flag.kind for flag in check(raster).flags}


@pytest.mark.parametrize("factor", [0.1, 0.07, 0.15])
def test_the_advice_on_floats_works(tmp_path, factor):
    """A float below 2 is reflectance, whatever a sensor file says."""
    values = usual(of=SURFACE)[:, :4096] * factor
    path = image(tmp_path / "a.tif", values, "float32", SURFACE.names)
    with open_raster(path, bands="s2-l2a") as raster:
        (flag,) = [flag for flag in check(raster, trust=True).flags if flag.kind in ("units", "scale")]
    assert "a tenth of reflectance" in flag.text
    scale = float(re.search(r"`gdal_edit.py -scale (\S+) -offset 0 FILE`", flag.text)[1])
    declared = image(tmp_path / "b.tif", values, "float32", SURFACE.names, scales=[scale] * 12)
    with open_raster(declared, bands="s2-l2a") as raster:
        check(raster)


def test_few_bands_have_wider_limits():
    def of(times, *bands):
        flat = np.repeat(typical_q98()[list(bands), None] * times, 500, axis=1).astype(np.float32)
        return [
            kind
            for kind in kinds(flat, bands=tuple(TOA.bands[band] for band in bands), of=TOA)
            if kind in ("units", "scale")
        ]

    assert of(6, 1, 2) == of(1 / 6, 7) == []
    assert of(6, 1, 2, 3) == of(1 / 6, 1, 2, 3) == ["scale"]
    assert of(12, 1, 2) == of(1 / 12, 7) == ["scale"]
    assert of(21, 1, 2) == of(1 / 21, 7) == ["units"]


def typical_q98() -> np.ndarray:
    from spectralgpt.checks.typical import typical

    return typical("L1C").q98


@pytest.mark.parametrize(("dtype", "of"), [("float32", TOA), ("float64", SURFACE), ("float32", LANDSAT)])
def test_means_are_a_note_and_no_flag(tmp_path, dtype, of):
    values = usual(of=SURFACE)[AS_OLI] if of == LANDSAT else usual(of=of)
    names = OLI if of == LANDSAT else of.names
    for add, noted in ((0.0, False), (0.37, True)):
        path = image(tmp_path / f"{noted}.tif", np.round(values * 1e4) + add, dtype, names)
        with open_raster(path, bands=of.name) as raster:
            verdict = check(raster)
        assert verdict.flags == ()
        assert bool(verdict.notes) is noted
        assert set(verdict.notes) <= set(verdict.warnings)
    assert not notes_on_fractions(sampled(usual()))


# offsets


@pytest.mark.parametrize("of", [TOA, SURFACE])
@pytest.mark.parametrize("dates", [1, 2])
def test_an_offset_that_is_applied_twice(of, dates):
    values = np.stack([usual(seed, of=of) for seed in range(dates)]) - np.float32(0.1)
    (flag,) = [each for each in suspicions(sampled(values, of=of, offset=-0.1), True) if each.kind == "offset"]
    assert "an offset of -0.1 was applied to values from which it had already been subtracted" in flag.text
    assert "offset" not in kinds(values + np.float32(0.1), True, of=of, offset=-0.1)


def test_an_offset_that_a_file_declares_twice(tmp_path):
    path = image(tmp_path / "a.tif", usual() * 1e4, "uint16", scales=[1e-4] * 13, offsets=[-0.1] * 13)
    with open_raster(path) as raster:
        assert "offset" in [flag.kind for flag in check(raster).flags]


def test_dark_water_of_level_2a_is_no_offset():
    """Atmospheric correction leaves noise around 0 over water: half of it negative, hardly any below -0.01."""
    noise = np.random.default_rng(0).normal(0.0, 0.005, (12, 4000)).astype(np.float32)
    water = noise + np.linspace(0.03, 0.0, 12, dtype=np.float32)[:, None]
    assert "offset" not in kinds(water, True, of=SURFACE, offset=-0.1)


@pytest.mark.parametrize(("pixels", "subtracted"), [(3, 150), (40, 1000), (400, 300)])
def test_numbers_that_wrapped_below_zero(tmp_path, pixels, subtracted):
    stored = (usual() * 1e4).astype(np.uint16) + np.uint16(subtracted)
    stored[2, :pixels] = np.arange(pixels) % 97 + 1
    wrapped = stored - np.uint16(subtracted)
    path = image(tmp_path / "a.tif", wrapped, "uint16")
    with open_raster(path) as raster:
        flags = [flag for flag in check(raster).flags if flag.kind != "order"]
    assert [(flag.kind, flag.bands) for flag in flags] == [("offset", ("B3",))]
    assert f"({pixels} pixels of the sample)" in flags[0].text


def test_saturated_clouds_did_not_wrap(tmp_path):
    stored = (usual() * 1e4).round()
    stored[:, :40] = 65535
    stored[:, 40:70] = np.arange(65000, 65030)
    with open_raster(image(tmp_path / "a.tif", stored, "uint16")) as raster:
        assert "offset" not in [flag.kind for flag in check(raster).flags]


# order


@pytest.mark.parametrize(
    ("of", "order"),
    [
        (TOA, {"B2": "B8", "B8": "B2"}),
        (SURFACE, {"B3": "B11", "B11": "B3"}),
        (TOA, {"B4": "B8A", "B8A": "B12", "B12": "B4"}),
    ],
)
def test_advice_on_wrong_names_puts_them_right(tmp_path, of, order):
    path = image(tmp_path / "a.tif", usual(of=of) * 1e4, "uint16", [order.get(name, name) for name in of.names])
    with open_raster(path, bands=of.name) as raster:
        (flag,) = check(raster).flags
    assert flag.kind == "order"
    assert set(flag.bands) == set(order)
    given = re.search(r"bands='([^']*)'", flag.text)[1]
    with open_raster(path, bands=given) as raster:
        assert check(raster).flags == ()
        names = dict(zip(raster.bands, range(len(raster.bands)), strict=True))
        assert [band.name for band in names] == list(of.names)


# fill


@pytest.mark.parametrize(
    ("dtype", "fill", "of"),
    [("int16", -1000, TOA), ("uint16", 20000, SURFACE), ("float32", -1.0, TOA), ("int32", -99999, SURFACE)],
)
def test_undeclared_fill_is_named_and_its_advice_works(tmp_path, dtype, fill, of):
    values = usual(of=of) if dtype == "float32" else np.round(usual(of=of) * 1e4)
    values[:, : values.shape[1] // 10] = fill
    path = image(tmp_path / "a.tif", values, dtype, of.names)
    with open_raster(path, bands=of.name) as raster:
        verdict = check(raster)
    assert [flag.kind for flag in verdict.flags] == ["fill"]
    assert all(0 <= row.q02 < 1 for row in verdict.table), "left out of the statistics"
    given = re.search(r"nodata='([^']*)'", verdict.flags[0].text)[1]
    assert float(given) == fill
    with open_raster(path, bands=of.name, nodata=given) as raster:
        verdict = check(raster)
    assert verdict.flags == ()
    assert verdict.valid == pytest.approx(0.9, abs=0.01)


def test_what_is_no_fill():
    values = usual()
    values[:, :10] = -1  # too few pixels
    assert kinds(values) == []
    values[:, :400] = 0.5  # reflectance
    assert "fill" not in kinds(values)
    values[:12, :400] = -1  # not in all bands
    assert "fill" not in kinds(values)
    assert kinds(np.full((13, 400), -1, np.float32), True)[-1] == "constant"
    two = usual()[:2]
    two[:, :400] = -1
    assert "fill" not in kinds(two, bands=TOA.bands[:2])


# one line per cause


def test_one_line_for_many_bands():
    assert listed(NAMES) == "B01, B02, B03, B04, B05, B06 and 7 more"
    same = np.repeat(usual()[:1], 13, axis=0)
    flags = [flag for flag in suspicions(sampled(same), True) if flag.kind == "duplicate"]
    assert [len(flag.bands) for flag in flags] == [13]
    assert "and 7 more" in flags[0].text
    values = usual()
    values[[1, 4, 6]] = 0.2
    flags = [flag for flag in suspicions(sampled(values), True) if flag.kind == "constant"]
    assert [flag.bands for flag in flags] == [("B2", "B5", "B7")]
    values = np.minimum(usual(), np.quantile(usual(), 0.97, axis=1, keepdims=True))
    flags = [flag for flag in suspicions(sampled(values), True) if flag.kind == "saturated"]
    assert [len(flag.bands) for flag in flags] == [13]


def test_copies_of_two_bands_are_two_groups_in_one_line():
    values = usual()
    values[[2, 5]] = values[[1, 1]]
    values[11] = values[8]
    (flag,) = [flag for flag in suspicions(sampled(values), True) if flag.kind == "duplicate"]
    assert flag.bands == ("B2", "B3", "B6", "B8A", "B11")
    assert "in B2 and B3 and B6; in B8A and B11;" in flag.text


# places


@pytest.mark.parametrize("moved", [(0, 0), (6, 0), (0, -5), (-3, 4)])
def test_a_shift_is_measured(moved):
    texture = np.random.default_rng(0).normal(size=(96, 128))
    one, other = (np.fft.rfft2(each) for each in (texture, np.roll(texture, moved, (0, 1))))
    assert clear_shift(other * np.conj(one), texture.shape) == PixelShift(*moved)
    noise = np.fft.rfft2(np.random.default_rng(1).normal(size=(96, 128)))
    assert clear_shift(noise * np.conj(one), texture.shape) is None


@pytest.mark.parametrize(
    ("path", "bands", "name"),
    [
        ("eurosat_ms/Residential/*.tif", "eurosat", "B4"),
        ("hls/hlss30_romania_*.tif", None, "B3"),
        ("landslide4sense/images/*.tif", None, "B3"),
        ("s2_l1c_scenes/*.tif", None, "B3"),
    ],
)
def test_a_band_that_lies_elsewhere(path, bands, name, tmp_path):
    from dataclasses import replace

    from spectralgpt.checks.look import look

    with open_raster(real(path), bands=bands) as raster:
        seen, _ = look(raster)
    assert shifted(seen) == []
    band = seen.names.index(name)
    windows = [window.copy() for window in seen.windows]
    for window in windows:
        window[:, band] = np.roll(window[:, band], 6, 1)
    (flag,) = shifted(replace(seen, windows=tuple(windows)))
    assert flag.kind == "shift"
    assert name in flag.bands
    assert "6 rows" in flag.text


def test_dates_that_lie_elsewhere_are_a_note(tmp_path):
    from dataclasses import replace

    from spectralgpt.checks.look import look

    with open_raster(real("eurosat_ms/Residential/*.tif"), bands="eurosat") as raster:
        seen, _ = look(raster)

    def of_dates(*rows):
        windows = tuple(np.concatenate([np.roll(window, each, 2) for each in rows]) for window in seen.windows)
        return replace(seen, values=np.repeat(seen.values, len(rows), axis=0), windows=windows)

    assert notes_on_dates(seen) == notes_on_dates(of_dates(0, 0)) == ()
    (note,) = notes_on_dates(of_dates(0, 0, 5))
    assert note == "dates that do not lie on one another: date 3 lies 5 rows and 0 columns from date 1"
    assert shifted(of_dates(0, 5)) == []


# counting, and arrays


@pytest.mark.parametrize(("height", "width"), [(131, 129), (64, 64), (700, 300), (5000, 100), (1, 770)])
def test_no_pixel_is_seen_twice(height, width):
    seen = np.zeros((height, width), int)
    for window in sample(height, width):
        seen[window.slices] += 1
    assert seen.max() == 1
    assert seen.all() == (max(height, width) <= 6 * 128)


def test_shares_count_each_pixel_once(tmp_path):
    stored = np.full((3, 131, 129), 700, np.uint16) + np.arange(129, dtype=np.uint16)
    stored[:, :, :1] = 0
    with open_raster(write(tmp_path / "a.tif", stored, names=("B02", "B03", "B04"), nodata=0.0)) as raster:
        assert check(raster, trust=True).valid == pytest.approx(128 / 129)


def test_arrays_are_checked_alike(tmp_path):
    path = image(tmp_path / "a.tif", usual() * 100, "float32")
    with open_raster(path) as raster:
        pixels = raster.read()
        with pytest.raises(RasterError, match="They look like "):
            check(raster)
        assert flags_of(pixels, "L1C", declared=False)[0].kind == "units"
        assert [flag.kind for flag in flags_of(pixels, "L1C", declared=True)][:1] != ["scale"]
