"""Names that people give bands, over formats: what is a name, what only counts, and layers beside bands."""

import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import rasterio
from made_rasters import PLACE, UTM, land, write

from spectralgpt.errors import BandError, OptionError, RasterError
from spectralgpt.products import as_pixels, open_raster

HLS = ["BLUE", "GREEN", "RED", "NIR_NARROW", "SWIR_1", "SWIR_2"]
SUPERDOVE = ["coastal_blue", "blue", "green_i", "green", "yellow", "red", "rededge", "nir"]
GOOD = ["B02", "B03", "B8A"]


def tiff(folder: Path, names: list[str], values: np.ndarray | None = None) -> Path:
    return write(folder / "scene.tif", land(24, 28, bands=len(names)) if values is None else values, names=names)


def envi(folder: Path, names: list[str], values: np.ndarray | None = None) -> Path:
    path = folder / "scene.img"
    data = land(24, 28, bands=len(names)) if values is None else values
    profile = {"driver": "ENVI", "count": len(names), "height": 24, "width": 28, "dtype": data.dtype}
    with rasterio.open(path, "w", crs=UTM, transform=PLACE, **profile) as dataset:
        dataset.write(data)
        for index, name in enumerate(names, 1):
            dataset.set_band_description(index, name)
    return path


def vrt(folder: Path, names: list[str], values: np.ndarray | None = None) -> Path:
    source = tiff(folder, names, values)
    bands = "".join(
        f'<VRTRasterBand dataType="UInt16" band="{i}"><Description>{name}</Description><SimpleSource>'
        f'<SourceFilename relativeToVRT="1">{source.name}</SourceFilename><SourceBand>{i}</SourceBand></SimpleSource>'
        "</VRTRasterBand>"
        for i, name in enumerate(names, 1)
    )
    path = folder / "scene.vrt"
    transform = ", ".join(map(str, PLACE.to_gdal()))
    path.write_text(
        f'<VRTDataset rasterXSize="28" rasterYSize="24"><SRS>{UTM}</SRS><GeoTransform>{transform}</GeoTransform>'
        f"{bands}</VRTDataset>"
    )
    return path


def labelled(names: list[str]) -> Any:
    xr = pytest.importorskip("xarray")
    return xr.DataArray(land(24, 28, bands=len(names)), dims=("band", "y", "x"), coords={"band": names})


def described(names: list[str]) -> Any:
    xr = pytest.importorskip("xarray")
    return xr.DataArray(land(24, 28, bands=len(names)), dims=("band", "y", "x"), attrs={"long_name": tuple(names)})


FILES = [tiff, envi, vrt]


@pytest.mark.parametrize("written", FILES)
@pytest.mark.parametrize(
    "names",
    [
        [f"Band {i}" for i in range(1, 13)],
        [f"band_{i:02d}" for i in range(1, 13)],
        [f"b{i}" for i in range(1, 13)],
        [f"Layer_{i}" for i in range(1, 13)],
        [str(i) for i in range(1, 13)],
    ],
)
def test_a_count_is_no_name(written, names, tmp_path):
    path = written(tmp_path, names)
    with pytest.raises(BandError, match=r"12 bands without names.*bands='s2-l2a'"):
        open_raster(path)
    with open_raster(path, bands="s2-l2a") as raster:
        assert [band.name for band in raster.bands][7:10] == ["B8", "B8A", "B9"]


@pytest.mark.parametrize("written", FILES)
@pytest.mark.parametrize(
    "names",
    [
        [f"band_{i}" for i in range(4)],
        [f"b{i}" for i in range(13)],
        [f"B{i}" for i in range(12)],
        [f"B{i:02d}" for i in range(4)],
        [str(i) for i in range(5)],
    ],
)
def test_a_count_from_0_is_no_name(written, names, tmp_path):
    """B1 of it is the second band: never that of a sensor."""
    with pytest.raises(BandError, match=f"{len(names)} bands without names.*only count"):
        open_raster(written(tmp_path, names))


def test_spots_own_names_from_0_are_its_bands_where_the_file_is_spots(tmp_path):
    path = tiff(tmp_path, ["B0", "B1", "B2", "B3"]).rename(tmp_path / "IMG_SPOT6_MS_201305251030.tif")
    with open_raster(path) as raster:
        assert [(band.sensor, band.name) for band in raster.bands] == [("spot6", f"B{i}") for i in range(4)]


@pytest.mark.parametrize("array", [labelled, described])
@pytest.mark.parametrize("prefix", ["Band ", "b", "layer-"])
def test_a_count_in_an_array_is_no_name(array, prefix):
    values = array([f"{prefix}{i}" for i in range(1, 13)])
    with pytest.raises(BandError, match="only count them"):
        as_pixels(values)
    assert [band.name for band in as_pixels(values, bands="s2-l2a").bands][8] == "B8A"


@pytest.mark.parametrize(
    "names",
    [
        [f"B{i}" for i in range(1, 8)],
        ["SR_B1", "SR_B2", "SR_B3"],
        ["nir", "swir1"],
        ["Band 2", "Band 3", "Band 4"],
        ["Band 2", "Band 1"],
        ["swir1", "swir2"],
    ],
)
def test_these_are_names(names, tmp_path):
    with pytest.raises(BandError) as caught:
        open_raster(tiff(tmp_path, names))
    assert "could be those of" in str(caught.value)


def test_names_that_could_count_are_said(tmp_path):
    with open_raster(tiff(tmp_path, [f"B{i}" for i in range(1, 13)])) as raster:
        assert raster.sensor.name == "s2-l1c"
        assert "could also only count the bands" in " ".join(raster.warnings)
    named = [f"B0{i}" for i in range(1, 9)] + ["B8A", "B09", "B11", "B12"]
    with open_raster(tiff(tmp_path, named)) as raster:
        assert "only count" not in " ".join(raster.warnings)


@pytest.mark.parametrize("written", FILES)
@pytest.mark.parametrize(
    ("names", "sensor", "read"),
    [
        (HLS, "s2-l2a", "B2 B3 B4 B8A B11 B12"),
        (SUPERDOVE, "planetscope-8", " ".join(SUPERDOVE)),
        (["Band 2 (Blue)", "Band 3 (Green)", "Band 4 (Red)", "Band 8 (NIR)"], "s2-l2a", "B2 B3 B4 B8"),
        (["B2_median", "B3_median", "B8A_median"], "s2-l2a", "B2 B3 B8A"),
        (["B10_p50", "B12_p50"], "s2-l1c", "B10 B12"),
        (["SR_B1_mean", "B02", "B8A"], None, ""),
        (["COASTAL_AEROSOL", "RED_EDGE_1", "NIR_BROAD", "SWIR_1"], "s2-l2a", "B1 B5 B8 B11"),
    ],
)
def test_names_of_the_field(written, names, sensor, read, tmp_path):
    path = written(tmp_path, names)
    if sensor is None:
        with pytest.raises(BandError):
            open_raster(path)
        return
    with open_raster(path) as raster:
        assert (raster.sensor.name, " ".join(band.name for band in raster.bands)) == (sensor, read)
        suffixed = any(name.endswith(("median", "p50")) for name in names)
        assert ("without their suffix" in " ".join(raster.warnings)) == suffixed


def test_two_reducers_of_one_band_are_refused(tmp_path):
    with pytest.raises(BandError, match="'B2_p25', 'B2_p75'"):
        open_raster(tiff(tmp_path, ["B2_p25", "B2_p75"]))


def test_words_beside_counts_are_the_names(tmp_path):
    path = tiff(tmp_path, ["Band 1 (Blue)", "Band 2 (Green)", "Band 3 (Red)", "Band 4 (NIR)"])
    with open_raster(path, bands="s2-l2a") as raster:
        assert [band.name for band in raster.bands] == ["B2", "B3", "B4", "B8"]


@pytest.mark.parametrize("written", FILES)
@pytest.mark.parametrize("beside", [["NDVI"], ["QA60", "AOT"], ["MSK_CLDPRB", "WVP", "EVI"], ["NDVI_median"]])
def test_auxiliary_layers_are_left_out(written, beside, tmp_path):
    names = [*GOOD[:1], *beside, *GOOD[1:]]
    path = written(tmp_path, names)
    with open_raster(path) as raster, open_raster(path, bands=",".join(GOOD)) as listed:
        assert [band.name for band in raster.bands] == ["B2", "B3", "B8A"]
        assert beside[0] in " ".join(raster.warnings)
        np.testing.assert_array_equal(raster.read().values, listed.read().values)


def test_auxiliary_layers_alone_are_no_image(tmp_path):
    with pytest.raises(BandError, match="'NDVI', 'SCL'"):
        open_raster(tiff(tmp_path, ["NDVI", "SCL"]))


@pytest.mark.parametrize("written", FILES)
@pytest.mark.parametrize(
    ("layer", "option", "cloud", "clear"),
    [("SCL", "scl", 9, 4), ("QA60", "qa", 1024, 0), ("Fmask", "fmask", 2, 64), ("QA_PIXEL", "qa", 8, 64)],
)
def test_a_layer_of_clouds_in_the_file_serves_clouds(written, layer, option, cloud, clear, tmp_path):
    values = land(24, 28, bands=4)
    values[3] = clear
    values[3, 3:9, 5:11] = cloud
    path = written(tmp_path, [*GOOD, layer], values)
    with open_raster(path) as raster:
        assert raster.read().valid is None
    with open_raster(path, clouds=option) as raster:
        valid = raster.read().valid
        assert valid is not None
        np.testing.assert_array_equal(valid[0], np.broadcast_to(values[3] == clear, (3, 24, 28)))
    with pytest.raises(OptionError, match="no cloud layer"):
        open_raster(tiff(tmp_path, GOOD), clouds=option)


def test_a_data_mask_is_validity(tmp_path):
    values = land(24, 28, bands=4)
    values[3] = 1
    values[3, :5] = 0
    with open_raster(tiff(tmp_path, [*GOOD, "dataMask"], values)) as raster:
        valid = raster.read().valid
        assert valid is not None
        assert not valid[..., :5, :].any()
        assert valid[..., 5:, :].all()


@pytest.mark.parametrize("written", FILES)
@pytest.mark.parametrize(
    ("names", "choice", "read", "planes"),
    [
        (["blau", "gruen", "B8A"], "B02=blau,B03=gruen", "B2 B3 B8A", [0, 1, 2]),
        (["Layer_1", "Layer_2", "Layer_3"], "s2-l2a:B04=Layer_1,B02=Layer_3", "B4 B2", [0, 2]),
        (["B2", "B9", "x 1"], "landsat8-toa:B5=x 1,B2", "B5 B2", [2, 0]),
        (["b1", "b2"], "B12=b1,B8A=b2", "B12 B8A", [0, 1]),
    ],
)
def test_bands_are_renamed(written, names, choice, read, planes, tmp_path):
    values = land(24, 28, bands=len(names))
    with open_raster(written(tmp_path, names, values), bands=choice) as raster:
        assert " ".join(band.name for band in raster.bands) == read
        np.testing.assert_array_equal(raster.read().values[0], values[planes])


@pytest.mark.parametrize(
    ("choice", "says"),
    [("B02=grau", "no 'grau'"), ("B03=blau,B04=blau", "more than once"), ("B02=blau,B02=gruen", "more than once")],
)
def test_what_cannot_be_renamed_is_refused(choice, says, tmp_path):
    with pytest.raises(BandError, match=says):
        open_raster(tiff(tmp_path, ["blau", "gruen", "B8A"]), bands=choice)


def test_arrays_have_names_of_the_field():
    assert [band.name for band in as_pixels(labelled(HLS)).bands] == ["B2", "B3", "B4", "B8A", "B11", "B12"]
    with (
        pytest.warns(UserWarning, match="left out NDVI"),
        pytest.warns(UserWarning, match="without their suffix _mean"),
    ):
        assert [band.name for band in as_pixels(described(["B2_mean", "B8A_mean", "NDVI"])).bands] == ["B2", "B8A"]
    assert as_pixels(labelled(SUPERDOVE)).bands[2].name == "green_i"


@pytest.mark.parametrize("nir", ["Near-Infrared", "near infrared", "NIR1", "near_ir", "Near_Infra_Red", "NEAR-IR"])
@pytest.mark.parametrize("sensor", ["planetscope-4", "landsat8-c2l2", "s2-l2a"])
def test_near_infrared_in_full(sensor, nir, tmp_path):
    path = tiff(tmp_path, ["Blue", "Green", "Red", nir])
    with open_raster(path, bands=sensor) as raster, open_raster(path, bands="s2-l2a") as other:
        assert len(raster.bands) == 4
        assert other.bands[3].name == "B8"


def test_short_wave_infrared_in_full_and_worldviews_own_nir1(tmp_path):
    names = ["Blue", "Green", "Red", "Near Infrared", "Shortwave Infrared 1", "short-wave-infrared_2"]
    with open_raster(tiff(tmp_path, names), bands="landsat8-c2l2") as raster:
        assert [band.name for band in raster.bands] == ["B2", "B3", "B4", "B5", "B6", "B7"]
    with open_raster(tiff(tmp_path, ["NIR1", "NIR2"]), bands="s2-l2a:B8=NIR1,B8A=NIR2") as raster:
        assert len(raster.bands) == 2


@pytest.mark.parametrize("names", [["blue", "green", "redd", "nir"], ["Blue", "Grean", "Red"], ["red", "nir", "yelow"]])
def test_advice_keeps_all_bands_by_renaming_or_says_which_it_leaves_out(names, tmp_path):
    path = tiff(tmp_path, names)
    with pytest.raises(BandError) as caught:
        open_raster(path)
    assert "NEW=OLD" in caught.value.do
    for _, choice in caught.value.advice:
        with open_raster(path, bands=choice) as raster:
            assert len(raster.bands) == len(names), choice
    path = tiff(tmp_path, [*names, "VV"])
    with pytest.raises(BandError, match="leaves out"):
        open_raster(path)


@pytest.mark.parametrize(
    "names", [["B02", "B03", "B10"], [f"B{i:02d}" for i in range(1, 13)] + ["B8A"], ["B10", "B8A"]]
)
def test_b10_is_never_advised_away(names, tmp_path):
    with pytest.raises(BandError, match="B10") as caught:
        open_raster(tiff(tmp_path, names), bands="s2-l2a")
    assert ("bands", "s2-l1c") in caught.value.advice
    assert not any(str(value).startswith("s2-l2a") for _, value in caught.value.advice)


@pytest.mark.parametrize("written", FILES)
@pytest.mark.parametrize(
    ("names", "choice", "read"),
    [
        (["B02_10m", "B03_10m", "B04_10m", "B08_10m"], "s2-l2a", "B2 B3 B4 B8"),
        (["B02_20m", "B8A_20m", "B11_20m"], None, "B2 B8A B11"),
        (["B2 (30 m)", "B5 (30 m)", "B7 (30 m)"], "landsat8-c2l2", "B2 B5 B7"),
        (["red-3m", "nir-3m", "blue-3m"], "planetscope-4", "red nir blue"),
        (["B02_10m_median", "B03_10m_median", "B8A_20m_median"], None, "B2 B3 B8A"),
    ],
)
def test_a_pixel_size_is_no_part_of_a_name(written, names, choice, read, tmp_path):
    with open_raster(written(tmp_path, names), bands=choice) as raster:
        assert " ".join(band.name for band in raster.bands) == read


def test_one_band_at_two_pixel_sizes_is_not_merged(tmp_path):
    with pytest.raises(BandError, match="B02_10m"):
        open_raster(tiff(tmp_path, ["B02_10m", "B02_20m", "B8A_20m"]))


@pytest.mark.parametrize("written", FILES)
@pytest.mark.parametrize(
    "names",
    [
        ["443", "490", "560"],
        ["443nm", "490 nm", "560_nm"],
        ["0.443 um", "0.49 um", "0.56 um"],
        ["wavelength 443", "490", "560 nanometers"],
    ],
)
def test_wavelengths_as_names(written, names, tmp_path):
    path = written(tmp_path, names)
    with open_raster(path, bands="s2-l2a") as raster:
        assert [band.name for band in raster.bands] == ["B1", "B2", "B3"]
    with pytest.raises(RasterError, match="without scale and offset") as caught:
        open_raster(path)
    assert "scale = 0.0001" in caught.value.do
    own = tmp_path / "mine.toml"
    own.write_text("\n".join(re.findall(r"`([^`]+)`", caught.value.do)))
    assert len(caught.value.advice) > 2
    for _, choice in caught.value.advice:
        with open_raster(path, bands=str(own) if choice == "mine.toml" else choice) as raster:
            assert [round(band.wavelength, -1) for band in raster.bands] == [440, 490, 560]
            assert set(raster.scale) <= {1e-4, 2.75e-5}


def test_wavelengths_as_names_of_reflectance_in_floats_need_nothing(tmp_path):
    values = land(24, 28, bands=3).astype(np.float32) / 1e4
    with open_raster(tiff(tmp_path, ["665", "560", "490"], values)) as raster:
        assert [band.wavelength for band in raster.bands] == [665, 560, 490]


@pytest.mark.parametrize("names", [["2019", "2020", "2021"], ["443", "SCL", "490"], ["10", "20", "30"]])
def test_numbers_that_are_no_wavelengths(names, tmp_path):
    with pytest.raises(BandError):
        open_raster(tiff(tmp_path, names))
