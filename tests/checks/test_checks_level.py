"""The level that values look like, where band names do not show it."""

import re
from pathlib import Path

import numpy as np
import pytest
import rasterio
from made_rasters import write
from real_rasters import real

from spectralgpt.bands import sensor
from spectralgpt.checks import check, flags_of
from spectralgpt.checks.level import MARGIN, how_much_odder, looks_like_other_level
from spectralgpt.checks.typical import typical
from spectralgpt.products import open_raster
from spectralgpt.verbs.inspect import inspect

TWELVE = sensor("s2-l2a").bands
NAMES = [band.name for band in TWELVE]


def flags(path: Path, **how: str) -> dict[str, str]:
    with open_raster(path, **how) as raster:
        return {flag.kind: flag.text for flag in check(raster, trust=True).flags}


def spectra(level: str) -> np.ndarray:
    """Typical spectra of a level, of three brightnesses, without B10."""
    table = typical(level)
    kept = np.abs(table.wavelength - 1373.5) > 1 if level == "L1C" else np.full(12, True)
    return np.exp(table.mean[kept] + np.array([[-0.1], [0.0], [0.1]])) - table.darkest


@pytest.mark.parametrize(("level", "other"), [("L1C", "L2A"), ("L2A", "L1C")])
@pytest.mark.parametrize("chosen", [range(12), range(4), [1, 2, 3, 7, 10, 11]])
def test_typical_spectra_look_like_their_own_level(level, other, chosen):
    bands, image = [TWELVE[index] for index in chosen], spectra(level)[:, list(chosen)]
    assert how_much_odder(typical(level), typical(other), image, bands) < 0
    assert looks_like_other_level(bands, image, level, other) is None
    assert looks_like_other_level(bands, image, other, level) > MARGIN


def test_too_few_bands_say_nothing():
    assert how_much_odder(typical("L1C"), typical("L2A"), spectra("L1C")[:, :2], TWELVE[:2]) is None


def without_b10(source: Path, target: Path, dtype: str) -> Path:
    """A 13-band file of Level-1C without its B10, under names that do not show the level."""
    with rasterio.open(source) as dataset:
        names = [(name or "").replace("B0", "B") for name in dataset.descriptions]
        values = dataset.read()[[names.index(name) for name in NAMES]]
    values = values / 1e4 if dtype == "float32" else values
    return write(target, values.astype(dtype), names=NAMES)


@pytest.mark.parametrize(
    ("name", "dtype"),
    [
        ("s2_pairs/38D_378R_2_3/38D_378R_2_3_S2L1C.tif", "int16"),
        ("s2_pairs/637U_59R_1_3/637U_59R_1_3_S2L1C.tif", "uint16"),
        ("s2_l1c_scenes/copernicusfm_nz_T60HWB_2020-10-02.tif", "float32"),
    ],
)
def test_top_of_atmosphere_without_b10_is_advised_and_not_called_another_order(tmp_path, name, dtype):
    path = without_b10(real(name), tmp_path / "stack.tif", dtype)
    found = flags(path)
    assert "look like Level-1C rather than Level-2A" in found["level"]
    assert "bands='s2-l1c'" in found["level"]
    assert "order" not in found
    with open_raster(path) as raster:
        assert raster.sensor.name == "s2-l2a", "it advises only"
    assert not {"level", "order"} & set(flags(path, bands="s2-l1c")), "the advice works"


@pytest.mark.parametrize("place", ["38D_378R_2_3", "637U_59R_1_3", "282D_485L_3_3"])
def test_surface_reflectance_is_not(place):
    assert "level" not in flags(real(f"s2_pairs/{place}/{place}_S2L2A.tif"))


@pytest.mark.parametrize(("choice", "is_open"), [(None, True), ("s2-l2a", False), ("s2-l1c", False)])
def test_a_level_that_is_given_is_not_open(tmp_path, choice, is_open):
    path = write(tmp_path / "stack.tif", np.full((12, 8, 8), 900, np.uint16), names=NAMES)
    with open_raster(path, bands=choice) as raster:
        assert raster.other_level == ("s2-l1c" if is_open else "")


@pytest.mark.parametrize(
    "name", ["s2_pairs/38D_378R_2_3/38D_378R_2_3_S2L1C.tif", "s2_l1c_scenes/copernicusfm_nz_T60HWB_2020-10-02.tif"]
)
@pytest.mark.parametrize("how", ["choice", "name", "array"])
def test_a_level_that_was_given_is_compared_and_the_order_is_not_blamed(tmp_path, name, how):
    file = "S2A_MSIL2A_20200301T101021_N0214_R022_T32UQD_20200301T140000.tif" if how == "name" else "stack.tif"
    path = without_b10(real(name), tmp_path / file, "uint16")
    with open_raster(path, **({"bands": "s2-l2a"} if how == "choice" else {})) as raster:
        assert raster.sensor.name == "s2-l2a"
        found = flags_of(raster.read(), "L2A", False) if how == "array" else check(raster, trust=True).flags
    (text,) = [flag.text for flag in found if flag.kind == "level"]
    assert "look like Level-1C rather than Level-2A" in text
    assert "bands='s2-l1c'" in text
    assert "order" not in [flag.kind for flag in found]


@pytest.mark.parametrize("place", ["38D_378R_2_3", "637U_59R_1_3", "282D_485L_3_3"])
def test_surface_reflectance_read_as_top_of_atmosphere(place):
    found = flags(real(f"s2_pairs/{place}/{place}_S2L2A.tif"), bands="s2-l1c")
    assert "look like Level-2A rather than Level-1C" in found["level"]
    assert "order" not in found


def test_bands_that_the_other_level_lacks_leave_no_choice():
    assert "level" not in flags(real("s2_pairs/38D_378R_2_3/38D_378R_2_3_S2L1C.tif"))


@pytest.mark.parametrize(
    "name", ["s2_pairs/38D_378R_2_3/38D_378R_2_3_S2L1C.tif", "s2_pairs/637U_59R_1_3/637U_59R_1_3_S2L1C.tif"]
)
def test_the_level_is_said_once(tmp_path, name):
    path = without_b10(real(name), tmp_path / "stack.tif", "uint16")
    shown = "\n".join(inspect(path).lines())
    assert len(re.findall("do not show", shown)) == 1
    with open_raster(path) as raster:
        assert sum("do not show" in warning for warning in check(raster, trust=True).warnings) == 1


def test_without_a_flag_the_note_stays():
    place = "38D_378R_2_3"
    assert any("do not show the level" in each for each in inspect(real(f"s2_pairs/{place}/{place}_S2L2A.tif")).notes)
