"""The pixels of a file with names that several sensors have put the likeliest sensor first."""

import numpy as np
import pytest
import rasterio
from made_rasters import write
from real_rasters import real

from spectralgpt.checks.typical import typical
from spectralgpt.errors import BandError
from spectralgpt.products import open_raster

L8 = ("B2", "B3", "B4", "B5", "B6", "B7")


def advised(path) -> list[str]:
    with pytest.raises(BandError) as caught:
        open_raster(path)
    assert "likeliest first" in caught.value.do
    return [str(value) for _, value in caught.value.advice]


def lake(wavelengths, level: str, scale: float, offset: float, seed: int = 0) -> np.ndarray:
    """Stored values of an image with usual spectra at these wavelengths."""
    table = typical(level)
    places = [int(np.argmin(np.abs(table.wavelength - each))) for each in wavelengths]
    light = np.random.default_rng(seed).normal(0, 0.2, (1, 40, 44))
    reflectance = np.exp(table.mean[places][:, None, None] + light) - table.darkest
    return (reflectance - offset) / scale


AT_L8 = (482, 561, 655, 865, 1609, 2201)
AT_S2 = (493, 560, 665, 704, 740, 783)
AT_L5 = (571, 661, 838, 1677)


@pytest.mark.parametrize(
    ("names", "wavelengths", "dtype", "scale", "offset", "first"),
    [
        (L8, AT_L8, "uint16", 1e-4, 0.0, ("landsat8", "hls-l30")),
        (L8, AT_L8, "uint16", 2.75e-5, -0.2, ("landsat8-c2l2",)),
        (L8, AT_L8, "float32", 1.0, 0.0, ("landsat8", "hls-l30")),
        (L8, AT_S2, "uint16", 1e-4, 0.0, ("s2-", "hls-s30")),
        (L8, AT_S2, "float32", 1.0, 0.0, ("s2-", "hls-s30")),
        (L8[:4], AT_L5, "int16", 1e-4, 0.0, ("landsat5", "landsat7")),
    ],
)
@pytest.mark.parametrize("gsd", [10.0, 30.0])
def test_pixels_show_the_sensor(tmp_path, names, wavelengths, dtype, scale, offset, first, gsd):
    transform = rasterio.Affine(gsd, 0, 435730, 0, -gsd, 4179460)
    values = lake(wavelengths, "L2A", scale, offset).astype(dtype)
    found = advised(write(tmp_path / "scene.tif", values, names=list(names), transform=transform))
    assert found[0].startswith(first), found


@pytest.mark.parametrize(
    ("dtype", "scale", "suffix"), [("uint16", 1e-4, "tif"), ("float32", 1.0, "tif"), ("int16", 1e-4, "img")]
)
def test_pixels_without_a_place_are_read_without_a_warning(tmp_path, recwarn, dtype, scale, suffix):
    values = lake(AT_L8, "L2A", scale, 0.0).astype(dtype)
    driver = {"tif": "GTiff", "img": "HFA"}[suffix]
    path = write(tmp_path / f"a.{suffix}", values, names=list(L8), transform=None, crs=None, driver=driver)
    recwarn.clear()
    assert advised(path)
    assert not recwarn.list


@pytest.mark.parametrize("date", ["2017-08-15"])
def test_a_landsat_8_export_at_10_m(shared, tmp_path, date):
    source = shared / f"data/landsat/wc_be_a_L8/wc_be_a_L8_{date}.tif"
    found = advised(source)
    assert found[0].startswith("landsat8")
    assert {"landsat8-c1sr", "hls-l30"} < set(found)
    with rasterio.open(source) as dataset:
        names, values = dataset.descriptions, dataset.read()
    found = advised(write(tmp_path / "scene.tif", values, names=list(names), nodata=dataset.nodata))
    assert found
    assert "s2-l1c" not in found, "thermal B11 is no short-wave infrared"


SEVEN = tuple(f"B{i}" for i in range(1, 8))
AT_SEVEN = (443, 482, 561, 655, 865, 1609, 2201)


@pytest.mark.parametrize(
    ("key", "value", "satellites"),
    [
        ("SPACECRAFT_ID", "LANDSAT_8", ("landsat8", "hls-l30")),
        ("SATELLITE", "Landsat-7", ("landsat7",)),
        ("PLATFORM", "landsat-5", ("landsat5",)),
        ("spacecraft", "LANDSAT_9", ("landsat8", "hls-l30")),
        ("SENSOR", "ETM+", ("landsat7",)),
    ],
)
def test_tags_state_the_satellite(tmp_path, key, value, satellites):
    values = lake(AT_SEVEN, "L2A", 1e-4, 0.0).astype(np.uint16)
    found = advised(write(tmp_path / "scene.tif", values, names=list(SEVEN), tags={key: value}))
    assert all(each.startswith(satellites) for each in found), found


def test_a_tag_of_a_satellite_decides_where_it_leaves_one_reading(tmp_path):
    values = lake(AT_S2, "L2A", 1e-4, 0.0).astype(np.uint16)
    path = write(tmp_path / "scene.tif", values, names=list(L8), tags={"PLATFORM": "Sentinel-2B"})
    with open_raster(path) as raster:
        assert raster.sensor.name == "s2-l2a"


@pytest.mark.parametrize("name", ["gewata_etm7_a.tif", "ETM+7_lake.tif", "lake_etm.tif"])
def test_etm_is_landsat_7(tmp_path, name):
    values = lake(AT_SEVEN[1:], "L2A", 1e-4, 0.0).astype(np.int16)
    found = advised(write(tmp_path / name, values, names=["B1", "B2", "B3", "B4", "B5", "B7"]))
    assert found[0].startswith("landsat7")


def test_a_real_sentinel_2_image_under_names_that_landsat_has(tmp_path):
    with rasterio.open(real("s2_pairs/38D_378R_2_3/38D_378R_2_3_S2L2A.tif")) as dataset:
        names = [(name or "").replace("B0", "B") for name in dataset.descriptions]
        values = dataset.read()[[names.index(name) for name in L8]]
    found = advised(write(tmp_path / "scene.tif", values, names=list(L8)))
    assert found[0].startswith("s2")


@pytest.mark.parametrize("value", [0, -9999])
def test_without_a_valid_pixel_the_rest_decides(tmp_path, value):
    values = np.full((6, 8, 8), value, np.int16)
    assert "s2-l2a" in advised(write(tmp_path / "scene.tif", values, names=list(L8), nodata=value))


def nameless(path) -> tuple[str, list[str]]:
    with pytest.raises(BandError, match="without names") as caught:
        open_raster(path)
    return caught.value.do, [str(value) for name, value in caught.value.advice if name == "bands"]


TEN = (493, 560, 665, 704, 740, 783, 833, 865, 1614, 2202)
SIX = (493, 560, 665, 865, 1614, 2202)


@pytest.mark.parametrize(
    ("wavelengths", "gsd", "scale", "offset", "first"),
    [
        (TEN, 10.0, 1e-4, 0.0, "B02,B03,B04,B05,B06,B07,B08,B8A,B11,B12"),
        (TEN, 20.0, 1e-4, 0.0, "B02,B03,B04,B05,B06,B07,B08,B8A,B11,B12"),
        (SIX, 30.0, 2.75e-5, -0.2, "landsat8-c2l2:B2,B3,B4,B5,B6,B7"),
        (SIX, 20.0, 1e-4, 0.0, "B02,B03,B04,B8A,B11,B12"),
        ((*TEN[:3], 833), 10.0, 1e-4, 0.0, "B02,B03,B04,B08"),
    ],
)
def test_advice_for_a_nameless_file_is_tried_on_its_pixels(tmp_path, wavelengths, gsd, scale, offset, first):
    transform = rasterio.Affine(gsd, 0, 435730, 0, -gsd, 4179460)
    values = lake(wavelengths, "L2A", scale, offset).astype(np.uint16)
    path = write(tmp_path / "scene.tif", values, transform=transform)
    _, found = nameless(path)
    assert first in found
    assert "hls-l30" not in found
    for choice in found:
        with open_raster(path, bands=choice) as raster:
            reflectance = values * np.reshape(raster.scale, (-1, 1, 1)) + np.reshape(raster.offset, (-1, 1, 1))
            assert (reflectance > 0).mean() > 0.5, choice
            assert not any(band.is_thermal for band in raster.bands)


@pytest.mark.parametrize("order", [[0, 1, 2], [2, 1, 0]])
@pytest.mark.parametrize(
    ("gsd", "both"),
    [
        (10.0, ("B04,B03,B02", "B02,B03,B04")),
        (3.0, ("planetscope-4:red,green,blue", "planetscope-4:blue,green,red")),
        (30.0, ("landsat8-c1sr:B4,B3,B2", "landsat8-c1sr:B2,B3,B4")),
    ],
)
def test_three_bands_may_be_in_either_order(tmp_path, order, gsd, both):
    transform = rasterio.Affine(gsd, 0, 435730, 0, -gsd, 4179460)
    values = lake((493, 560, 665), "L2A", 1e-4, 0.0).astype(np.uint16)[order]
    do, found = nameless(write(tmp_path / "scene.tif", values, transform=transform))
    assert set(both) <= set(found)
    assert "both usual" in do
    assert not any("c2l2" in choice for choice in found), "all reflectance would be negative"


@pytest.mark.parametrize(
    ("file", "first"),
    [
        ("eurosat_ms/River/River_3.tif", "eurosat"),
        ("timeseries/slovenia_eolearn/slovenia_eolearn_2017-01-11.tif", "s2-l1c"),
        ("s2_pairs/282D_485L_3_3/282D_485L_3_3_S2L1C.tif", "s2-l1c"),
        ("s2_pairs/38D_378R_2_3/38D_378R_2_3_S2L1C.tif", "s2-l1c"),
        ("s2_pairs/38D_378R_2_3/38D_378R_2_3_S2L2A.tif", "s2-l2a"),
    ],
)
def test_real_images_without_names(tmp_path, file, first):
    with rasterio.open(real(file)) as dataset:
        values, how = dataset.read(), {"transform": dataset.transform, "crs": dataset.crs, "nodata": dataset.nodata}
    do, found = nameless(write(tmp_path / "scene.tif", values, **how))
    assert found[0] == first
    assert "choose their sensor" in do
