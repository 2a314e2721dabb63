"""Numbers in other units than reflectance: the likeliest are named, and advice works."""

import re

import numpy as np
import pytest
from made_rasters import write
from real_rasters import real

from spectralgpt.checks import check
from spectralgpt.checks.units import likeliest, notes_on_fractions
from spectralgpt.products import open_raster
from usual_images import AS_OLI, LANDSAT, NAMES, OLI, SURFACE, TOA, image, kinds, sampled, usual


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
    (other,) = re.findall(r"if 0 to 255, the same with (\S+) as scale", flag.text)
    lines = re.findall(r"`(\w+ = [^`]+)`", flag.text)
    for scale in ("0.01", other):
        mine = tmp_path / "mine.toml"
        mine.write_text("\n".join(lines).replace("scale = 0.01", f"scale = {scale}"))
        with open_raster(path, bands=str(mine)) as raster:
            assert not {"units", "scale", "offset"} & {flag.kind for flag in check(raster).flags}


@pytest.mark.parametrize(
    ("of", "end", "dtype"), [(SURFACE, 255, "float32"), (TOA, 255, "uint16"), (TOA, 65535, "uint16")]
)
def test_a_largest_value_of_255_or_65535_is_telling(tmp_path, of, end, dtype):
    values = usual(of=of)
    path = image(tmp_path / "a.tif", values / values.max() * end, dtype, of.names)
    with open_raster(path, bands=of.name) as raster:
        (flag,) = [flag for flag in check(raster, trust=True).flags if flag.kind in ("units", "scale")]
    assert f"They look like {'0 to 255' if end == 255 else 'stretched to 16 bits'}, and end at {end}" in flag.text


@pytest.mark.parametrize(("of", "dtype", "times"), [(SURFACE, "float32", 1), (TOA, "float64", 1), (TOA, "int16", 100)])
def test_standardized_bands_get_no_scale(tmp_path, of, dtype, times):
    values = usual(of=of)
    values = (values - values.mean(axis=1, keepdims=True)) / values.std(axis=1, keepdims=True) * times
    with open_raster(image(tmp_path / "a.tif", values, dtype, of.names), bands=of.name) as raster:
        (flag,) = [flag for flag in check(raster, trust=True).flags if flag.kind in ("units", "scale")]
    assert "standardized" in flag.text
    assert "scale =" not in flag.text
    assert "mine.toml" not in flag.text


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


def white(names, levels, seed=0):
    """Half land, half cloud with these 98 % quantiles."""
    land = usual(seed, of=SURFACE)[[SURFACE.names.index(name) for name in names]]
    rng = np.random.default_rng(seed)
    cloud = rng.uniform(0.5, 1.0, land.shape[1]) * np.array(levels)[:, None]
    cloudy = np.arange(land.shape[1]) % 2 == 0
    return np.where(cloudy, cloud, np.minimum(land, 0.5 * min(levels))).astype(np.float32)


@pytest.mark.parametrize(
    ("names", "levels"),
    [
        (("B2", "B3", "B4"), (0.72, 0.75, 0.70)),
        (("B2", "B3", "B4", "B8"), (0.72, 0.75, 0.70, 0.50)),  # darker beyond red, as clouds over vegetation
        (("B1", "B2", "B3", "B4", "B5"), (0.74, 0.73, 0.75, 0.70, 0.70)),
        (("B2", "B3", "B4", "B8"), (0.9, 0.85, 0.87, 0.95)),
    ],
)
def test_clouds_in_few_bands_are_a_note(tmp_path, names, levels):
    path = image(tmp_path / "a.tif", white(names, levels) * 1e4, "uint16", names)
    with open_raster(path, bands="s2-l2a") as raster:
        verdict = check(raster)
    assert verdict.flags == ()
    assert any("clouds or snow" in note for note in verdict.notes)


@pytest.mark.parametrize(("names", "of"), [(("B2", "B3", "B4"), TOA), (("B2", "B3", "B4", "B8"), SURFACE)])
def test_land_that_is_stretched_is_no_cloud(tmp_path, names, of):
    values = usual(of=of)[[of.names.index(name) for name in names]] * 65535
    path = image(tmp_path / "a.tif", values.clip(1, 65534), "uint16", names)
    with open_raster(path, bands=of.name) as raster:
        (flag,) = [flag for flag in check(raster, trust=True).flags if flag.kind in ("units", "scale")]
    assert "stretched to 16 bits" in flag.text


@pytest.mark.parametrize("names", ["2 3 4", "2 3 4 8", "2 3 4 5"])
def test_a_crop_of_clouds_over_durban(tmp_path, names):
    import rasterio
    from rasterio.windows import Window

    wanted = [f"B0{name}" for name in names.split()]
    with rasterio.open(real("s2_more/oceaneco_durban_2019-04-24.tif")) as file:
        indices = [file.descriptions.index(name) + 1 for name in wanted]
        values = file.read(indices, window=Window(150, 150, 128, 128))
    with open_raster(write(tmp_path / "a.tif", values, names=wanted, nodata=0), bands="s2-l2a") as raster:
        verdict = check(raster)
    assert verdict.flags == ()
    assert any("clouds or snow" in note for note in verdict.notes)


# each band scaled by itself


def scaled(values, low=0.0, high=1.0):
    """Each band with these quantiles at 0 and 1, clipped."""
    ends = np.quantile(values, (low, high), axis=1)[..., None]
    return ((values - ends[0]) / (ends[1] - ends[0])).clip(0, 1)


@pytest.mark.parametrize(
    ("of", "dtype", "ends", "times"),
    [
        (SURFACE, "float32", (0.0, 1.0), 1),
        (TOA, "float32", (0.02, 0.98), 1),
        (LANDSAT, "float64", (0.0, 1.0), 1),
        (SURFACE, "float64", (0.01, 0.99), 1),
    ],
)
def test_bands_that_were_scaled_by_themselves(tmp_path, of, dtype, ends, times):
    values = usual(of=SURFACE)[AS_OLI] if of == LANDSAT else usual(of=of)
    path = image(tmp_path / "a.tif", scaled(values, *ends) * times, dtype, OLI if of == LANDSAT else of.names)
    with open_raster(path, bands=of.name) as raster:
        flags = [flag for flag in check(raster, trust=True).flags if flag.kind != "saturated"]
    assert [flag.kind for flag in flags] == ["scale"]
    assert "each band was scaled by itself" in flags[0].text or "if each was scaled by itself" in flags[0].text
    assert "get the original" in flags[0].text


@pytest.mark.parametrize(("end", "dtype"), [(65535, "uint16"), (255, "float32"), (100, "float32")])
def test_other_units_in_which_all_bands_end_alike(tmp_path, end, dtype):
    path = image(tmp_path / "a.tif", scaled(usual(of=SURFACE)) * end, dtype, SURFACE.names)
    with open_raster(path, bands="s2-l2a") as raster:
        (flag,) = [flag for flag in check(raster, trust=True).flags if flag.kind in ("units", "scale")]
    assert f"all bands end at {end}: if each was scaled by itself, no scale helps; get the original" in flag.text


def test_clipped_reflectance_is_not_scaled():
    values = usual(of=SURFACE)
    values[:, :40] = 1.0  # clouds, clipped in all bands
    values[:, 40:80] = 1e-4
    assert "scale" not in kinds(values, of=SURFACE)
    assert "scale" not in kinds(usual(of=SURFACE), of=SURFACE)
