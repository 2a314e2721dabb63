"""Two hundred narrow bands combined into the bands of the model."""

import math
import warnings

import numpy as np
import pytest
import rasterio
from made_rasters import write
from rasterio.errors import NotGeoreferencedWarning
from real_rasters import real

from spectralgpt.bands import BandSet, align, sensor
from spectralgpt.nn import BandStatistics, Normalization, make_cube
from spectralgpt.products import open_raster

MODEL = sensor("spectralgpt-12").bands


def wavelengths_of(path):
    lines = path.read_text().splitlines()[1:]
    return [float(line.split(",")[1]) for line in lines]


def by_hand(values, wavelengths):
    """CONTRACTS A 4, worked out plainly: {model band: reflectance}."""
    fed = {}
    for index, wavelength in enumerate(wavelengths):
        reached = [
            (abs(wavelength - band.wavelength), band.wavelength, number)
            for number, band in enumerate(MODEL)
            if abs(wavelength - band.wavelength) <= band.fwhm / 2
        ]
        if reached:
            fed.setdefault(MODEL[min(reached)[2]].name, []).append(index)
    result = {}
    for band in MODEL:
        if band.name in fed:
            weights = [
                math.exp(-4 * math.log(2) * (wavelengths[index] - band.wavelength) ** 2 / band.fwhm**2)
                for index in fed[band.name]
            ]
            chosen = values[fed[band.name]].astype(np.float64)
            result[band.name] = np.einsum("b,bij->ij", weights, chosen) / sum(weights) / 1e4
    return result


def as_sentinel(raster):
    """Reflectance {name: [row, column]} of the the model's bands from a raster."""
    statistics = tuple(BandStatistics(band, 0.0, 1.0) for band in MODEL)
    cube = make_cube(raster.read(), BandSet.native(MODEL), Normalization("standard", statistics), 96)
    values = 0.02 * np.sinh(cube.values[0, 0].double().numpy())
    return dict(zip(cube.bands.names, values, strict=True))


@pytest.mark.parametrize(
    ("image", "fed"),
    [("hyperspectral/indian_pines/indian_pines.tif", 12), ("hyperspectral_more/jasper_ridge/jasper_ridge.tif", 12)],
)
def test_a_spectrometer_becomes_sentinel_2(tmp_path, image, fed):
    path = real(image)
    wavelengths = wavelengths_of(path.parent / "wavelengths.csv")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", NotGeoreferencedWarning)
        with rasterio.open(path) as dataset:
            values = dataset.read()
    mine = tmp_path / "mine.toml"
    mine.write_text(f"scale = 1e-4\nwavelengths = {wavelengths}\n")
    expected = by_hand(values, wavelengths)
    assert len(expected) == fed
    with open_raster(path, bands=str(mine)) as raster:
        found = as_sentinel(raster)
    assert found.keys() == expected.keys()
    for name, values_of in expected.items():
        assert found[name] == pytest.approx(values_of, rel=2e-5, abs=1e-6), name

    order = np.random.default_rng(0).permutation(len(wavelengths))
    turned = tmp_path / "turned.toml"
    turned.write_text(f"scale = 1e-4\nwavelengths = {[wavelengths[i] for i in order]}\n")
    shuffled = write(tmp_path / "turned.tif", values[order], crs=None)
    with open_raster(shuffled, bands=str(turned)) as raster:
        again = as_sentinel(raster)
    for name in expected:
        assert again[name] == pytest.approx(found[name], rel=1e-6, abs=1e-7), name


def test_digital_numbers_of_a_spectrometer_are_refused():
    with pytest.raises(Exception, match="digital numbers"):
        open_raster(real("hyperspectral/indian_pines/indian_pines.tif"))


def test_a_list_of_wavelengths_names_the_bands(tmp_path):
    path = write(tmp_path / "four.tif", np.full((4, 8, 8), 0.1, np.float32))
    with open_raster(path, bands="490,560,665,842") as raster:
        plan = align(raster.bands, BandSet.native(MODEL))
    assert plan.bandset.names == ("B2", "B3", "B4", "B8")
