"""Right images that look odd: water clipped at 0, clouds and snow, nothing but fill. They are noted, or say why."""

import numpy as np
import pytest
from made_rasters import write

from spectralgpt.bands import sensor
from spectralgpt.checks import check
from spectralgpt.checks.spoilt import clipped_at_zero, notes_on_clipped
from spectralgpt.checks.units import notes_on_white
from spectralgpt.errors import RasterError
from spectralgpt.products import open_raster
from usual_images import SURFACE, TOA, kinds, sampled, usual

LANDSAT = sensor("landsat8-c1sr")


def water(of, band, share=0.04, darkest=0.0002, beside=0.004) -> np.ndarray:
    """Water with a bright ship in `share` of the pixels; outside it one band is not valid."""
    rng = np.random.default_rng(3)
    values = (beside * rng.uniform(0.5, 1.5, (len(of.bands), 4096))).astype(np.float32)
    ship = int(share * values.shape[1])
    values[:, :ship] = np.linspace(darkest, 0.3, ship)
    values[band, ship:] = np.nan
    return values


@pytest.mark.parametrize(
    ("of", "band"), [(SURFACE, "B9"), (SURFACE, "B12"), (TOA, "B8A"), (TOA, "B11"), (LANDSAT, "B5"), (LANDSAT, "B7")]
)
def test_a_band_clipped_over_water_is_noted(of, band):
    bands = tuple(each for each in of.bands if each.in_solar_range)
    at = [each.name for each in bands].index(band)
    sample = sampled(water(of, at)[: len(bands)], of=of, bands=bands)
    assert clipped_at_zero(sample) == [band]
    (note,) = notes_on_clipped(sample)
    assert note.startswith(f"{band} valid in under 10%")
    assert "nodata='none'" in note
    assert "absent" not in kinds(water(of, at)[: len(bands)], of=of, bands=bands)


@pytest.mark.parametrize(
    "change",
    [
        {"beside": 0.2},  # bright where the band is missing: land
        {"darkest": 0.05},  # what is left does not come down to 0
        {"share": 0.0},  # nothing is left
    ],
)
def test_a_band_that_is_absent_is_suspected(change):
    values = water(SURFACE, 9, **change)
    assert clipped_at_zero(sampled(values, of=SURFACE)) == []
    assert "absent" in kinds(values, of=SURFACE, declared=True)


@pytest.mark.parametrize("offset", [-0.1, 0.05])
def test_with_an_offset_0_is_not_dark(offset):
    assert clipped_at_zero(sampled(water(SURFACE, 9), of=SURFACE, offset=offset)) == []


def test_the_advice_on_clipped_bands_works(tmp_path):
    values = water(SURFACE, 9)
    stored = np.round(np.nan_to_num(values) * 1e4).astype(np.uint16).reshape(-1, 64, 64)
    path = write(tmp_path / "a.tif", stored, names=SURFACE.names)
    with open_raster(path, bands="s2-l2a") as raster:
        verdict = check(raster)
    assert not any(flag.kind == "absent" for flag in verdict.flags)
    assert any("nodata='none'" in note for note in verdict.notes)
    with open_raster(path, bands="s2-l2a", nodata="none") as raster:
        verdict = check(raster)
    assert not verdict.notes
    assert all(row.valid == 1 for row in verdict.table)


def white(of, brightness: float, share: float = 0.3, tint: float = 1.1) -> np.ndarray:
    """Usual land with clouds in `share` of it; red is `tint` times as bright as blue."""
    values = usual(of=of)
    cloud = np.linspace(1, tint, len(of.bands))[:, None] * brightness
    values[:, : int(share * values.shape[1])] = cloud
    return values


@pytest.mark.parametrize(
    ("of", "brightness"),
    [(SURFACE, 1.3), (TOA, 1.1), (LANDSAT, 0.7), (LANDSAT, 1.1), (sensor("planetscope-8"), 0.6)],
)
def test_clouds_and_snow_are_noted(of, brightness):
    bands = tuple(band for band in of.bands if band.in_solar_range)
    values = np.repeat(white(SURFACE, brightness)[:1], len(bands), axis=0)
    values = (values * np.linspace(1, 1.07, len(bands))[:, None]).astype(np.float32)
    assert "scale" not in kinds(values, of=of, bands=bands)
    sample = sampled(values, of=of, bands=bands)
    (note,) = notes_on_white(sample, sample.quantiles(), False)
    assert "clouds or snow" in note
    assert notes_on_white(sample, sample.quantiles(), True) == [], "a declared scale is not doubted"


@pytest.mark.parametrize("change", [lambda v: 6.5 * v, lambda v: 10 * v / 1.1, lambda v: white(SURFACE, 1.6)])
def test_what_is_not_white_or_too_bright_is_suspected(change):
    found = kinds(change(usual(of=SURFACE)), of=SURFACE)
    assert {"scale", "units"} & set(found)


@pytest.mark.parametrize(("dtype", "value"), [("int16", -1), ("int32", -5), ("float32", -1.0)])
def test_nothing_but_one_value_below_zero(tmp_path, dtype, value):
    path = write(tmp_path / "a.tif", np.full((12, 32, 32), value, dtype), names=SURFACE.names)
    with open_raster(path, bands="s2-l2a") as raster, pytest.raises(RasterError, match="not above 0") as error:
        check(raster)
    assert f"nodata='{value:g}'" in str(error.value)
    assert "times" not in str(error.value)
    with (
        pytest.raises(RasterError, match="no valid"),
        open_raster(path, bands="s2-l2a", nodata=f"{value:g}") as raster,
    ):
        check(raster)


@pytest.mark.parametrize(
    ("dtype", "value", "share"), [("int16", -1, 0.996), ("float32", -1.0, 0.95), ("int32", -7, 0.93)]
)
def test_hardly_anything_but_fill_is_refused(tmp_path, dtype, value, share):
    stored = (usual(of=SURFACE) * (1 if dtype == "float32" else 1e4)).astype(dtype)
    stored[:, : int(share * stored.shape[1])] = value
    path = write(tmp_path / "a.tif", stored.reshape(-1, 64, 64), names=SURFACE.names)
    with open_raster(path, bands="s2-l2a") as raster:
        with pytest.raises(RasterError, match="in all bands of 9") as error:
            check(raster)
        assert f"nodata='{value:g}'" in str(error.value)
        assert check(raster, trust=True).flags
    with open_raster(path, bands="s2-l2a", nodata=f"{value:g}") as raster:
        check(raster)
