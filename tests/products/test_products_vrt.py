"""VRTs are read as their sources, or refused; GDAL alone gives zeros, bands without names or lost offsets."""

import os
from pathlib import Path

import numpy as np
import pytest
import rasterio
from affine import Affine
from made_rasters import PLACE, UTM, distinct, write

from spectralgpt.days import iso_date
from spectralgpt.errors import RasterError
from spectralgpt.products import open_raster
from spectralgpt.products.formats.vrt import read
from spectralgpt.products.product import Product
from spectralgpt.raster.grid import composed

SIDE = 20


def source(
    file: str, band: int, row: int, column: int, kind: str = "SimpleSource", inside: str = "", relative: int = 1
) -> str:
    return (
        f'<{kind}><SourceFilename relativeToVRT="{relative}">{file}</SourceFilename><SourceBand>{band}</SourceBand>'
        f'<SrcRect xOff="0" yOff="0" xSize="{SIDE}" ySize="{SIDE}"/>'
        f'<DstRect xOff="{column}" yOff="{row}" xSize="{SIDE}" ySize="{SIDE}"/>{inside}</{kind}>'
    )


def vrt(path: Path, bands: list[str], height: int = SIDE, width: int = 2 * SIDE, dtype: str = "UInt16") -> Path:
    """A VRT with this XML inside its bands."""
    geo = ", ".join(map(str, PLACE.to_gdal()))
    inside = "".join(
        f'<VRTRasterBand dataType="{dtype}" band="{number}">{band}</VRTRasterBand>'
        for number, band in enumerate(bands, 1)
    )
    path.write_text(
        f'<VRTDataset rasterXSize="{width}" rasterYSize="{height}"><SRS>{UTM}</SRS>'
        f"<GeoTransform>{geo}</GeoTransform>{inside}</VRTDataset>",
        encoding="utf-8",
    )
    return path


def tile(path: Path, column: int = 0, bands: int = 2, seed: int = 0, **how: object) -> np.ndarray:
    values = distinct(bands, SIDE, SIDE) + seed
    at = composed(PLACE, Affine.translation(column, 0))
    write(path, values, **{"transform": at, "names": ["B04", "B8A"][:bands], **how})
    return values


def opened(path: Path) -> Product:
    product = read(str(path), None)
    assert product is not None
    return product


def refused(path: Path, says: str) -> None:
    with pytest.raises(RasterError, match=says) as caught:
        read(str(path), None)
    assert caught.value.expected or caught.value.do
    assert "\n" not in str(caught.value)


def mosaic(path: Path, folder: str = "", count: int = 2, extra: str = "") -> Path:
    return vrt(
        path,
        [
            extra + source(f"{folder}a.tif", band, 0, 0) + source(f"{folder}b.tif", band, 0, SIDE)
            for band in range(1, count + 1)
        ],
    )


def test_a_mosaic_is_its_tiles(tmp_path):
    folder = tmp_path / "Kacheln größer 1"
    folder.mkdir()
    how = {"scales": [1e-4, 1e-4], "offsets": [-0.1, -0.1], "nodata": 0, "tags": {"ACQUISITION_DATE": "2021-05-01"}}
    a, b = tile(folder / "a.tif", **how), tile(folder / "b.tif", SIDE, seed=3, **how)
    product = opened(mosaic(tmp_path / "mosaik ü.vrt", f"{folder.name}/"))
    assert [(band.name, band.scale, band.offset, band.nodata) for band in product.bands] == [
        ("B04", 1e-4, -0.1, 0),
        ("B8A", 1e-4, -0.1, 0),
    ]
    assert iso_date(product.day) == "2021-05-01"
    for index, band in enumerate(product.bands):
        with rasterio.open(band.path) as dataset:
            np.testing.assert_array_equal(dataset.read(band.index), np.hstack([a[index], b[index]]))


def test_what_the_vrt_says_itself_holds(tmp_path):
    tile(tmp_path / "a.tif", names=None)
    tile(tmp_path / "b.tif", SIDE, names=None)
    path = mosaic(tmp_path / "m_20200203.vrt", count=1, extra="<Description>B11</Description><Scale>0.0001</Scale>")
    (band,) = opened(path).bands
    assert (band.name, band.scale, band.offset) == ("B11", 1e-4, 0)
    assert iso_date(opened(path).day) == "2020-02-03"


def test_a_name_that_contradicts_the_source_is_said(tmp_path):
    """A stack whose sources were given in another order than their names."""
    tile(tmp_path / "a.tif")
    tile(tmp_path / "b.tif", SIDE)
    for named, warned in (("B8A", True), ("B4", False), ("B04", False), ("red", False)):
        path = mosaic(tmp_path / "m.vrt", count=1, extra=f"<Description>{named}</Description>")
        found = opened(path)
        assert [each.name for each in found.bands] == [named]
        said = [each for each in found.warnings if "by its source" in each]
        assert bool(said) == warned, (named, found.warnings)
        assert not said or "band 1: is called B8A here, but B04 by its source; B8A is used" in said[0]


def test_bands_of_files_apart(tmp_path):
    """As gdalbuildvrt -separate: one file per band, with the band's name in the file's."""
    for name in ("S2_B02_10m", "S2_B8A_20m"):
        tile(tmp_path / f"{name}.tif", bands=1, names=None)
    path = vrt(tmp_path / "m.vrt", [source("S2_B02_10m.tif", 1, 0, 0), source("S2_B8A_20m.tif", 1, 0, 0)], width=SIDE)
    assert [band.name for band in opened(path).bands] == ["B02", "B8A"]


def test_a_gap_is_not_measured(tmp_path):
    tile(tmp_path / "a.tif")
    path = vrt(tmp_path / "m.vrt", [source("a.tif", 1, 0, 0)], width=3 * SIDE)
    product = opened(path)
    assert product.bands[0].nodata == 0
    assert "without a source" in product.warnings[0]
    # with nodata of its own GDAL fills the gap with it
    path = vrt(tmp_path / "m.vrt", ["<NoDataValue>7</NoDataValue>" + source("a.tif", 1, 0, 0)], width=3 * SIDE)
    product = opened(path)
    assert (product.bands[0].nodata, product.warnings) == (7, ())
    with rasterio.open(path) as dataset:
        assert (dataset.read(1)[:, SIDE:] == 7).all()
    # two tiles that meet leave none, whatever their order
    path = vrt(tmp_path / "m.vrt", [source("a.tif", 1, 0, SIDE) + source("a.tif", 2, 0, 0)])
    refused(path, "several band names")
    path = vrt(tmp_path / "m.vrt", [source("a.tif", 1, 0, SIDE) + source("a.tif", 1, 0, 0)])
    assert opened(path).bands[0].nodata is None


def test_several_values_for_absent(tmp_path):
    tile(tmp_path / "a.tif", nodata=9)
    tile(tmp_path / "b.tif", SIDE, nodata=9)
    assert opened(mosaic(tmp_path / "m.vrt")).bands[0].nodata == 9  # what a plain source passes on
    refused(mosaic(tmp_path / "m.vrt", extra="<NoDataValue>0</NoDataValue>"), "several values that mean nodata")
    refused(vrt(tmp_path / "m.vrt", [source("a.tif", 1, 0, 0)], width=3 * SIDE), "mean nodata")
    # where GDAL leaves it out, it puts zeros
    inside = "<NODATA>9</NODATA>"
    path = vrt(tmp_path / "m.vrt", [source("a.tif", 1, 0, 0, "ComplexSource", inside)], width=SIDE)
    assert opened(path).bands[0].nodata == 0


def test_tiles_that_differ(tmp_path):
    """Before and after baseline 04.00 in one mosaic: no single offset applies."""
    tile(tmp_path / "a.tif", scales=[1e-4] * 2, offsets=[0, 0])
    tile(tmp_path / "b.tif", SIDE, scales=[1e-4] * 2, offsets=[-0.1] * 2)
    refused(mosaic(tmp_path / "m.vrt"), "several scales and offsets")
    tile(tmp_path / "a.tif", scales=[1e-4] * 2, offsets=[-0.1] * 2)
    assert opened(mosaic(tmp_path / "m.vrt")).bands[0].offset == -0.1
    refused(mosaic(tmp_path / "m.vrt", extra="<Scale>0.0002</Scale>"), "in its sources")
    tile(tmp_path / "a.tif", scales=[1e-4] * 2, offsets=[-0.1] * 2, names=["B8A", "B04"])
    refused(mosaic(tmp_path / "m.vrt"), "several band names")


def test_computed_values_have_no_scale_of_their_sources(tmp_path):
    tile(tmp_path / "a.tif", scales=[1e-4] * 2, offsets=[-0.1] * 2)
    inside = "<ScaleOffset>-0.1</ScaleOffset><ScaleRatio>0.0001</ScaleRatio>"
    path = vrt(tmp_path / "m.vrt", [source("a.tif", 1, 0, 0, "ComplexSource", inside)], width=SIDE, dtype="Float32")
    assert opened(path).bands[0].scale is None


@pytest.mark.parametrize("relative", [0, 1])
def test_a_source_that_is_not_there(tmp_path, relative):
    tile(tmp_path / "a.tif")
    gone = "gone.tif" if relative else str(tmp_path / "gone.tif")
    path = vrt(tmp_path / "m.vrt", [source("a.tif", 1, 0, 0) + source(gone, 1, 0, SIDE, relative=relative)])
    refused(path, f"^{path}: its source {tmp_path / 'gone.tif'} does not exist")
    inner = vrt(tmp_path / "inner.vrt", [source("gone.tif", 1, 0, 0)])
    refused(vrt(tmp_path / "m.vrt", [source(inner.name, 1, 0, 0)]), "gone.tif")
    tile(tmp_path / "gone.tif", bands=1)
    refused(
        vrt(tmp_path / "m.vrt", [source("gone.tif", 4, 0, 0)]),
        "band 4 of .*gone.tif as a source; expected one of its bands, 1 to 1",
    )
    (tmp_path / "gone.tif").write_bytes(b"II*\0")
    refused(vrt(tmp_path / "m.vrt", [source("gone.tif", 1, 0, 0)]), "gone.tif")


def test_vrts_in_vrts(tmp_path):
    values = tile(tmp_path / "a.tif", scales=[1e-4] * 2, offsets=[-0.1] * 2)
    (tmp_path / "sub").mkdir()
    vrt(tmp_path / "sub" / "inner.vrt", [source("../a.tif", 2, 0, 0)], width=SIDE)
    (band,) = opened(vrt(tmp_path / "m.vrt", [source("sub/inner.vrt", 1, 0, 0)], width=SIDE)).bands
    assert (band.name, band.scale, band.offset) == ("B8A", 1e-4, -0.1)
    with rasterio.open(band.path) as dataset:
        np.testing.assert_array_equal(dataset.read(1), values[1])


def test_circles(tmp_path):
    refused(vrt(tmp_path / "m.vrt", [source("m.vrt", 1, 0, 0)]), "is its own source")
    vrt(tmp_path / "a.vrt", [source("b.vrt", 1, 0, 0)])
    vrt(tmp_path / "b.vrt", [source("a.vrt", 1, 0, 0)])
    refused(tmp_path / "a.vrt", "is its own source")
    os.symlink(tmp_path / "link.vrt", tmp_path / "link.vrt")
    refused(vrt(tmp_path / "m.vrt", [source("link.vrt", 1, 0, 0)]), "does not exist")
    for number in range(12):
        vrt(tmp_path / f"d{number}.vrt", [source(f"d{number + 1}.vrt", 1, 0, 0)])
    refused(tmp_path / "d0.vrt", "8 levels of VRTs")


def test_a_warped_source_in_another_crs(tmp_path):
    """Its corners lie outside the source: zeros that nobody measured; scale and name are the source's."""
    from rasterio.shutil import copy
    from rasterio.vrt import WarpedVRT

    tile(tmp_path / "a.tif", scales=[1e-4] * 2, offsets=[-0.1] * 2)
    with rasterio.open(tmp_path / "a.tif") as dataset, WarpedVRT(dataset, crs="EPSG:4326") as warped:
        copy(warped, tmp_path / "w.vrt", driver="VRT")
    text = (tmp_path / "w.vrt").read_text()
    for gone in ("<Scale>0.0001</Scale>", "<Offset>-0.1</Offset>", "<Description>B04</Description>"):
        text = text.replace(gone, "")
    (tmp_path / "w.vrt").write_text(text)
    product = opened(tmp_path / "w.vrt")
    assert [(band.name, band.scale, band.offset, band.nodata) for band in product.bands] == [
        ("B04", 1e-4, -0.1, 0),
        ("B8A", 1e-4, -0.1, 0),
    ]
    (tmp_path / "a.tif").unlink()
    refused(tmp_path / "w.vrt", "a.tif does not exist")


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "is not valid XML"),
        ("<VRTDataset", "is not valid XML"),
        ("<html/>", "XML of html"),
        ('<!DOCTYPE x [<!ENTITY a "aaaa">]><VRTDataset>&a;</VRTDataset>', "DOCTYPE"),
        ("<VRTDataset>&a;</VRTDataset>", "is not valid XML"),
        ('<?xml version="1.0" encoding="klingon"?><VRTDataset/>', "is not valid XML"),
    ],
)
def test_no_vrt(tmp_path, text, says):
    (tmp_path / "m.vrt").write_text(text)
    refused(tmp_path / "m.vrt", says)


def test_programs_are_not_run(tmp_path):
    tile(tmp_path / "a.tif")
    code = f"open({str(tmp_path / 'ran')!r}, 'w')"
    inside = (
        "<PixelFunctionType>f</PixelFunctionType><PixelFunctionLanguage>Python</PixelFunctionLanguage>"
        f"<PixelFunctionCode><![CDATA[{code}]]></PixelFunctionCode>"
    )
    path = vrt(tmp_path / "m.vrt", [inside + source("a.tif", 1, 0, 0)])
    path.write_text(path.read_text().replace("<VRTRasterBand ", '<VRTRasterBand subClass="VRTDerivedRasterBand" '))
    refused(path, "pixel functions in Python")
    assert not (tmp_path / "ran").exists()


def test_other_files_are_left_to_others(tmp_path):
    assert read(str(tmp_path / "missing.vrt"), None) is None
    tile(tmp_path / "a.tif")
    assert read(str(tmp_path / "a.tif"), None) is None


def test_through_open_raster(tmp_path):
    """A mosaic with a gap: its own reflectance, and nothing measured between."""
    how = {"scales": [1e-4, 1e-4], "offsets": [-0.1, -0.1]}
    a, b = tile(tmp_path / "a.tif", **how), tile(tmp_path / "b.tif", 2 * SIDE, seed=3, **how)
    bands = [source("a.tif", band, 0, 0) + source("b.tif", band, 0, 2 * SIDE) for band in (1, 2)]
    with open_raster(vrt(tmp_path / "m.vrt", bands, width=3 * SIDE), bands="s2-l2a") as raster:
        pixels = raster.read()
    assert [band.name for band in pixels.bands] == ["B4", "B8A"]
    assert pixels.valid is not None
    assert pixels.valid[0, :, :, :SIDE].all()
    assert not pixels.valid[0, :, :, SIDE : 2 * SIDE].any()
    found = pixels.reflectance()[0]
    np.testing.assert_array_equal(found[..., :SIDE], (a * 1e-4 - 0.1).astype(np.float32))
    np.testing.assert_array_equal(found[..., 2 * SIDE :], (b * 1e-4 - 0.1).astype(np.float32))
