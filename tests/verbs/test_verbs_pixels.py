"""`inspect`, `embed` and `reconstruct` take Pixels and opened Rasters, and say what they say of the file."""

from dataclasses import replace

import numpy as np
import pytest
import rasterio

import spectralgpt
from spectralgpt import as_pixels, open_raster
from spectralgpt.errors import OptionError
from spectralgpt.raster import Pixels, Window, raster_of


@pytest.fixture(scope="module")
def image(demo_scene) -> Pixels:
    with open_raster(demo_scene) as raster:
        return raster.read(Window(100, 60, 96, 120))


@pytest.fixture
def file(image, tmp_path):
    """The same pixels in a file."""
    path = tmp_path / "s2-l1c.tif"
    count, height, width = image.values.shape[1:]
    profile = {"driver": "GTiff", "count": count, "height": height, "width": width, "dtype": image.dtype}
    with rasterio.open(path, "w", crs=image.grid.crs, transform=image.grid.transform, **profile) as made:
        made.write(image.values[0])
        made.descriptions = [band.name for band in image.bands]
    return path


def test_inspect_says_of_pixels_what_it_says_of_the_file(image, file):
    of_pixels, of_file = spectralgpt.inspect(image), spectralgpt.inspect(file, bands="s2-l1c")
    for field in ("sensor", "level", "bands", "wavelengths", "scale", "offset", "size", "valid", "flags", "feeds"):
        assert getattr(of_pixels, field) == getattr(of_file, field), field
    assert of_pixels.gsd == pytest.approx(of_file.gsd, rel=1e-4)
    assert of_pixels.table == of_file.table
    assert str(of_pixels).startswith("array ")


def test_inspect_draws_pixels(image, tmp_path):
    spectralgpt.inspect(image, picture=tmp_path / "a.png")
    assert (tmp_path / "a.png").stat().st_size > 1000


@pytest.mark.parametrize("opened", [False, True])
def test_embed_writes_the_map_of_the_file(image, file, tmp_path, opened):
    if opened:
        with open_raster(file, bands="s2-l1c") as raster:
            found = spectralgpt.embed(raster, tmp_path / "a.tif", weights="untrained")
    else:
        found = spectralgpt.embed(image, tmp_path / "a.tif", weights="untrained")
    spectralgpt.embed(file, tmp_path / "b.tif", weights="untrained", bands="s2-l1c")
    with rasterio.open(tmp_path / "a.tif") as a, rasterio.open(tmp_path / "b.tif") as b:
        assert np.array_equal(a.read(), b.read(), equal_nan=True)
        assert (a.transform, a.crs) == (b.transform, b.crs)
    assert (found.rows, found.columns) == (12, 15)


@pytest.mark.parametrize("dtype", ["float32", "uint16", "int16"])
def test_missing_pixels_dates_and_types(image, tmp_path, dtype):
    valid = np.ones(image.shape, bool)
    valid[..., :40] = False
    values = image.reflectance() if dtype == "float32" else image.values.astype(dtype)
    pixels = as_pixels(values, bands=image.bands, valid=valid, dates=["2020-05-01"])
    found = spectralgpt.inspect(pixels)
    assert found.dates == ("2020-05-01",)
    assert found.valid == pytest.approx(80 / 120)
    spectralgpt.embed(pixels, tmp_path / "a.tif", weights="untrained")
    with rasterio.open(tmp_path / "a.tif") as made:
        assert np.isnan(made.read(1)[:, :5]).all()
        assert not np.isnan(made.read(1)[:, 5:]).any()


@pytest.mark.parametrize("option", [{"bands": ["B02"]}, {"gsd": 20}, {"nodata": 0}, {"dates": "2020-05-01"}])
def test_options_for_files_are_refused(image, tmp_path, option):
    with pytest.raises(OptionError, match=f"{next(iter(option))}=.*open already"):
        spectralgpt.inspect(image, **option)
    with pytest.raises(OptionError, match="open already"):
        spectralgpt.embed(image, tmp_path / "a.tif", weights="untrained", **option)
    assert list(tmp_path.iterdir()) == []


def test_a_table_of_one_array_is_refused(image, tmp_path):
    with pytest.raises(OptionError, match="a table as the target of one image"):
        spectralgpt.embed(image, tmp_path / "a.csv", weights="untrained")


def test_different_pixels_have_different_names(image):
    other = replace(image, values=image.values + 1)
    masked = replace(image, valid=np.ones(image.shape, bool))
    assert len({raster_of(each).paths for each in (image, other, masked)}) == 3
    assert raster_of(image).paths == raster_of(replace(image, values=image.values.copy())).paths


def test_lists_in_every_verb(file, tmp_path):
    names = ["B2", "B3", "B4"]
    assert spectralgpt.inspect(file, bands=["s2-l1c:B2", "B3", "B4"], nodata=[0, 7]).bands == tuple(names)
    found = spectralgpt.embed(file, tmp_path / "a.tif", weights="untrained", bands=["s2-l1c:B2", "B3", "B4"])
    assert found.missing[0] == "B1"
