"""Faults made in usual images, of several sensors and types: each is found, named, and its advice works."""

import re
from dataclasses import replace

import numpy as np
import pytest
from made_rasters import write
from real_rasters import real

from spectralgpt.checks import check, flags_of
from spectralgpt.checks.flags import listed
from spectralgpt.checks.shift import PixelShift, clear_shift, notes_on_dates, shifted
from spectralgpt.checks.suspicions import suspicions
from spectralgpt.errors import RasterError
from spectralgpt.products import open_raster
from spectralgpt.raster.sampling import sample
from usual_images import NAMES, SURFACE, TOA, image, kinds, sampled, usual

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


@pytest.mark.parametrize(
    ("names", "dtype", "fill"),
    [
        (("B4", "B8"), "int16", -9999),
        (("B4",), "float32", -9999),
        (("B8",), "uint16", 65535),
        (("B3", "B8"), "float64", -32768),
        (("B2", "B4"), "float32", 0),
        (("B4",), "int32", -32768),
    ],
)
def test_fill_of_one_or_two_bands_is_named_and_its_advice_works(tmp_path, names, dtype, fill):
    values = usual(of=SURFACE)[[SURFACE.names.index(name) for name in names]]
    values = np.maximum(values if dtype == "float32" else np.round(values * 1e4), 0.002)
    values[:, : values.shape[1] // 10] = fill
    path = image(tmp_path / "a.tif", values, dtype, names)
    with open_raster(path, bands="s2-l2a") as raster:
        verdict = check(raster)
    assert [flag.kind for flag in verdict.flags] == ["fill"]
    assert f"the stored value {fill} in 10.0% of the pixels" in verdict.flags[0].text
    assert all(0 <= row.q02 < 1 for row in verdict.table), "left out of the statistics"
    with open_raster(path, bands="s2-l2a", nodata=re.search(r"nodata='([^']*)'", verdict.flags[0].text)[1]) as raster:
        verdict = check(raster)
    assert verdict.flags == ()
    assert verdict.valid == pytest.approx(0.9, abs=0.01)
    with open_raster(path, bands="s2-l2a", nodata="none") as raster:
        assert "fill" not in [flag.kind for flag in check(raster, trust=True).flags]


@pytest.mark.parametrize(
    ("fill", "share", "dtype"), [(-9999, 0.003, "int16"), (65535, 0.004, "uint16"), (-9998, 0.04, "int16")]
)
def test_what_is_no_fill_of_few_bands(tmp_path, fill, share, dtype):
    values = np.round(usual(of=SURFACE)[3:4] * 1e4)
    values[:, : int(values.shape[1] * share)] = fill
    with open_raster(image(tmp_path / "a.tif", values, dtype, ["B4"]), bands="s2-l2a") as raster:
        assert "fill" not in [flag.kind for flag in check(raster, trust=True).flags]


def test_values_that_go_down_to_0_or_up_to_65535_are_no_fill_of_few_bands(tmp_path):
    water = np.linspace(-0.002, 0.02, 4096, dtype=np.float32)[None].clip(0)  # clipped at 0
    saturated = np.linspace(100, 70_000, 4096)[None].clip(0, 65535)
    for name, values, dtype in (("water", water, "float32"), ("saturated", saturated, "uint16")):
        path = image(tmp_path / f"{name}.tif", values, dtype, ["B4"])
        with open_raster(path, bands="s2-l2a") as raster:
            assert "fill" not in [flag.kind for flag in check(raster, trust=True).flags]


@pytest.mark.parametrize(
    ("value", "dtype", "of", "nodata"),
    [(255, "uint16", SURFACE, None), (1, "int16", TOA, None), (0, "uint16", TOA, 65535), (0, "int16", SURFACE, -9999)],
)
def test_one_reflectance_in_all_bands_of_many_pixels_is_a_note(tmp_path, value, dtype, of, nodata):
    values = np.round(usual(of=of) * 1e4)
    for share, noted in ((0.001, False), (0.1, True)):
        values[:, : int(values.shape[1] * share)] = value
        path = image(tmp_path / f"{noted}.tif", values, dtype, of.names, nodata=nodata)
        with open_raster(path, bands=of.name) as raster:
            verdict = check(raster)
        assert verdict.flags == ()
        assert [f"{value} in all bands" in note for note in verdict.notes] == [True] * noted
    given = re.search(r"nodata='([^']*)'", verdict.notes[0])[1]
    with open_raster(path, bands=of.name, nodata=given) as raster:
        verdict = check(raster)
    assert verdict.notes == ()
    assert verdict.valid == pytest.approx(0.9, abs=0.01)


def test_grey_images_have_no_note_on_fill(tmp_path):
    grey = np.repeat(np.round(usual(of=SURFACE)[3:4] * 20) * 500, 3, axis=0)
    with open_raster(image(tmp_path / "a.tif", grey, "uint16", ("B2", "B3", "B4")), bands="s2-l2a") as raster:
        assert check(raster, trust=True).notes == ()


# one line per cause


@pytest.mark.parametrize(
    ("valid", "words"), [(0.0, "in none of"), (0.0002, "in less than 0.1% of"), (0.042, "in at most 4.2% of")]
)
def test_a_share_that_is_hardly_there_is_said_in_words(valid, words):
    values = usual()
    values[9] = np.where(np.arange(values.shape[1]) < valid * values.shape[1], values[9], np.nan)
    sample_of_few = replace(sampled(values), valid=np.where(np.arange(13) == 9, valid, 1.0))
    (flag,) = [each for each in suspicions(sample_of_few, False) if each.kind == "absent"]
    assert f"found B9 valid {words} the pixels" in flag.text


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
