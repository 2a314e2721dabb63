"""Granules of HLS, assembled from real chips and made ones."""

import shutil
from pathlib import Path

import numpy as np
import pytest
import rasterio
from made_rasters import distinct, write
from real_rasters import real

from spectralgpt.days import iso_date
from spectralgpt.errors import RasterError
from spectralgpt.products import open_raster
from spectralgpt.products.formats import hls
from spectralgpt.products.product import Product

L30 = "HLS.L30.T15RTP.2020123T170000.v2.0"
S30 = "HLS.S30.T34TES.2018365T093411.v2.0"


def found(path: Path) -> Product:
    read = hls.read(str(path), None)
    assert read is not None
    return read


def granule(folder: Path, name: str = L30, layers: tuple[str, ...] = ("B02", "B04", "Fmask"), **how: object) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    for index, layer in enumerate(layers):
        values = distinct(len(layers), 6, 5, "int16")[index : index + 1]
        write(folder / f"{name}.{layer}.tif", values.astype("uint8") if layer == "Fmask" else values, **how)
    return folder


def split(source: Path, folder: Path, name: str) -> Path:
    """A real chip as a granule's files."""
    folder.mkdir(parents=True)
    with rasterio.open(source) as dataset:
        how = {"crs": dataset.crs, "transform": dataset.transform, "nodata": dataset.nodata}
        for index, band in enumerate(dataset.descriptions, 1):
            write(folder / f"{name}.{band}.tif", dataset.read([index]), **how)
    return folder


def cloudy(product: Product, value: int) -> bool:
    return any(value & mask == wanted for mask, wanted in product.clouds.cloudy)


@pytest.mark.parametrize(
    ("chip", "name", "sensor", "day", "bands"),
    [
        ("hlsl30_texas", L30, "hls-l30", "2020-05-02", "B01 B02 B03 B04 B05 B06 B07 B09"),
        ("hlss30_romania_52002694", S30, "hls-s30", "2018-12-31", "B02 B03 B04 B08 B11 B12"),
    ],
)
def test_real_chips_as_granules(tmp_path, chip, name, sensor, day, bands):
    source = real(f"hls/{chip}.tif")
    read = found(split(source, tmp_path / name, name))
    assert (read.sensor, iso_date(read.day), read.missing, read.warnings) == (sensor, day, (), ())
    assert " ".join(band.name for band in read.bands) == bands
    assert {(band.scale, band.offset, band.nodata) for band in read.bands} == {(1e-4, 0.0, -9999.0)}
    with rasterio.open(source) as dataset:
        for band in read.bands:
            expected = dataset.read(dataset.descriptions.index(band.name) + 1)
            with rasterio.open(band.path) as file:
                assert np.array_equal(file.read(band.index), expected)
                assert file.transform == band.grid.transform
    thermal = [fact for fact in read.facts if "thermal" in fact]
    assert thermal == (
        ["thermal bands are left out (B10, B11), as they contain no reflectance"] if sensor == "hls-l30" else []
    )


def test_layers_that_are_no_reflectance_are_left_out(tmp_path):
    layers = ("SZA", "SAA", "VZA", "VAA", "B10", "B8A", "Fmask")
    read = found(granule(tmp_path / "granule", S30, layers))
    assert [band.name for band in read.bands] == ["B8A", "B10"], "S30's B10 is cirrus"
    assert read.clouds.name == "fmask"
    assert Path(read.clouds.path).name == f"{S30}.Fmask.tif"
    assert dict(read.tags)["HLS_GRANULE"] == S30


@pytest.mark.parametrize(("version", "cirrus"), [("v2.0", False), ("v1.5", True)])
def test_what_fmask_calls_cloudy(tmp_path, version, cirrus):
    read = found(granule(tmp_path, L30.replace("v2.0", version)))
    # cirrus, cloud, adjacent to one, shadow, snow, water, and the aerosol's level
    assert [cloudy(read, 1 << bit) for bit in range(8)] == [cirrus, True, True, True, False, False, False, False]
    assert not cloudy(read, 0)


def test_scales_of_the_files_win_over_the_convention(tmp_path):
    read = found(granule(tmp_path / "band", scales=[0.0002], offsets=[0.01]))
    assert {(band.scale, band.offset) for band in read.bands} == {(0.0002, 0.01)}
    read = found(granule(tmp_path / "tags", tags={"scale_factor": "0.001", "add_offset": "-0.5"}))
    assert {(band.scale, band.offset) for band in read.bands} == {(0.001, -0.5)}
    with pytest.raises(RasterError, match="found 'tiny' for scale_factor; expected a number"):
        hls.read(str(granule(tmp_path / "broken", tags={"scale_factor": "tiny"})), None)


def test_an_archive_of_a_granule_is_the_granule(tmp_path):
    folder = granule(tmp_path / "there" / L30)
    plain = found(folder)
    for root in (folder, folder.parent):
        packed = found(Path(shutil.make_archive(str(tmp_path / root.name), "zip", root)))
        assert (packed.sensor, packed.day, packed.tags) == (plain.sensor, plain.day, plain.tags)
        for one, other in zip(packed.bands, plain.bands, strict=True):
            with rasterio.open(one.path) as a, rasterio.open(other.path) as b:
                assert np.array_equal(a.read(), b.read())


def test_an_opened_granule(tmp_path):
    with open_raster(granule(tmp_path)) as raster:
        pixels = raster.read()
    assert (raster.sensor.name, [band.name for band in raster.bands]) == ("hls-l30", ["B2", "B4"])
    assert set(pixels.scale.tolist()) == {1e-4}
    assert np.array_equal(pixels.values[0], distinct(3, 6, 5, "int16")[:2])


def test_granules_of_other_tiles_in_a_folder_are_refused(tmp_path):
    granule(tmp_path)
    granule(tmp_path, L30.replace("15RTP", "15RTQ"))
    with pytest.raises(
        RasterError, match=r"layers of 2 granules \(HLS\.L30\.T15RTP\.2020123\S+, HLS\.L30\.T15RTQ\.2020123"
    ):
        hls.read(str(tmp_path), None)


def test_what_is_no_granule(tmp_path):
    write(tmp_path / "B02.tif", distinct(1, 4, 4))
    write(tmp_path / f"{L30}.B02.tif", distinct(1, 4, 4))
    assert hls.read(str(tmp_path / f"{L30}.B02.tif"), None) is None, "one file is read as a file"
    (tmp_path / f"{L30}.B02.tif").unlink()
    assert hls.read(str(tmp_path), None) is None
    assert hls.read(str(tmp_path / "nowhere"), None) is None


@pytest.mark.parametrize(
    ("name", "layers", "how", "says"),
    [
        (L30, ("Fmask", "SZA", "B10"), {}, r"found B10, FMASK, SZA of HLS\.L30"),
        (L30.replace("2020123", "2020367"), ("B02",), {}, "found day 367 of the year 2020"),
        (L30.replace("2020123", "2021366"), ("B02",), {}, "found day 366 of the year 2021"),
        (L30.replace("2020123", "2020000"), ("B02",), {}, "found day 0 of the year 2020"),
        (L30.replace("2020123", "0000001"), ("B02",), {}, "found day 1 of the year 0"),
        (L30, ("B02",), {"tags": {"SENSING_TIME": "2019-05-02T17:00:00Z"}}, "2020-05-02 in the name and 2019-05-02"),
    ],
)
def test_broken_granules(tmp_path, name, layers, how, says):
    with pytest.raises(RasterError, match=says):
        hls.read(str(granule(tmp_path, name, layers, **how)), None)


def test_broken_files(tmp_path):
    folder = granule(tmp_path / "granule")
    whole = (folder / f"{L30}.B04.tif").read_bytes()
    (folder / f"{L30}.B04.tif").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(RasterError, match=r"B04\.tif: cannot be opened"):
        hls.read(str(folder), None)
    (folder / f"{L30}.B04.tif").unlink()
    write(folder / f"{L30}.B04.tif", distinct(3, 6, 5, "int16"))
    with pytest.raises(RasterError, match="found 3 bands"):
        hls.read(str(folder), None)
