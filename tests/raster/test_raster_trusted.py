"""What a stranger's file makes GDAL do: read its own pixels, and nothing else.

The markers are requests to a server on this machine, and the pixels of another file.
"""

import tarfile
import threading
import zipfile
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import numpy as np
import pytest
import rasterio
from made_rasters import NAMES, distinct, land, write
from rasterio.shutil import copy as copy_raster

from spectralgpt.errors import InputError, RasterError
from spectralgpt.products import open_raster
from spectralgpt.raster.handles import open_dataset
from spectralgpt.raster.trusted import refuse_remote

SIDE = 16


@pytest.fixture
def server():
    """An address, and the list of what was asked there."""
    asked = []

    class Listening(BaseHTTPRequestHandler):
        def do_GET(self):
            asked.append(self.path)
            self.send_error(404)

        do_HEAD = do_GET

        def log_message(self, *args):
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Listening) as listening:
        threading.Thread(target=listening.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{listening.server_port}", asked
        listening.shutdown()


def tiles_of(address):
    """Text that GDAL's driver WMS takes for an image on a server."""
    return (
        f'<GDAL_WMS><Service name="TMS"><ServerUrl>{address}/${{z}}/${{x}}/${{y}}.png</ServerUrl></Service>'
        "<DataWindow><UpperLeftX>0</UpperLeftX><UpperLeftY>1</UpperLeftY><LowerRightX>1</LowerRightX>"
        "<LowerRightY>0</LowerRightY><TileLevel>3</TileLevel></DataWindow><Projection>EPSG:4326</Projection>"
        "<BandsCount>1</BandsCount><DataType>UInt16</DataType></GDAL_WMS>"
    )


def vrt_text(inside, attributes=""):
    """A VRT of one band with this in it."""
    return (
        f'<VRTDataset rasterXSize="{SIDE}" rasterYSize="{SIDE}"{attributes}><VRTRasterBand dataType="UInt16" band="1">'
        f"<Description>B04</Description>{inside}</VRTRasterBand></VRTDataset>"
    )


def source_text(name, relative=0):
    return (
        f'<SimpleSource><SourceFilename relativeToVRT="{relative}">{name}</SourceFilename>'
        "<SourceBand>1</SourceBand></SimpleSource>"
    )


def image(path, seed=0):
    return write(path, land(SIDE, SIDE, seed, 1), names=("B04",))


def read(path):
    """All that reading an image may touch: pixels, overviews, masks."""
    with open_dataset(str(path)) as dataset:
        dataset.overviews(1)
        dataset.read(1, out_shape=(4, 4))
        return dataset.read(1), dataset.read_masks(1)


def refused(path, words):
    with pytest.raises(RasterError, match=words):
        read(path)
    with pytest.raises(InputError, match=words):
        open_raster(path, bands="s2-l2a")


@pytest.mark.parametrize("name", ["scene.tif", "scene.jp2", "scene.img", "scene.dat", "scene"])
def test_an_address_under_an_images_name_is_not_asked(tmp_path, server, name):
    address, asked = server
    path = tmp_path / name
    path.write_text(tiles_of(address))
    with rasterio.open(path) as dataset, pytest.raises(rasterio.errors.RasterioIOError):
        dataset.read()
    assert asked, "by default GDAL asks, so that this test can fail"
    asked.clear()
    refused(path, "found '<GDAL_WMS>")
    assert asked == []


@pytest.mark.parametrize("text", ['{"type": "Feature"}', "<GDALTileIndexDataset/>", "<WCS_GDAL/>"])
def test_other_texts_that_name_files(tmp_path, text):
    (tmp_path / "scene.tif").write_text(text)
    refused(tmp_path / "scene.tif", "found '")


@pytest.mark.parametrize("kind", ["zip", "tar"])
def test_in_an_archive(tmp_path, server, kind):
    address, asked = server
    for name, text in (("B04.tif", tiles_of(address)), ("B08.tif", vrt_text(source_text(image(tmp_path / "a.tif"))))):
        (tmp_path / name).write_text(text)
        archive = tmp_path / f"{name}.{kind}"
        if kind == "zip":
            with zipfile.ZipFile(archive, "w") as packed:
                packed.write(tmp_path / name, name)
        else:
            with tarfile.open(archive, "w") as tape:
                tape.add(tmp_path / name, name)
        with pytest.raises(InputError, match="not the values of an image"):
            open_raster(archive, bands="s2-l2a")
    assert asked == []


def test_a_damaged_member_is_one_message(tmp_path):
    archive = tmp_path / "B04.zip"
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as packed:
        packed.write(image(tmp_path / "B04.tif"), "B04.tif")
    content = bytearray(archive.read_bytes())
    content[60:200] = b"\xff" * 140
    archive.write_bytes(content)
    with pytest.raises(InputError, match="cannot be opened"):
        open_raster(archive, bands="s2-l2a")


# what lies beside an image


@pytest.mark.parametrize("ending", [".msk", ".ovr"])
@pytest.mark.parametrize("kind", ["disk", "zip", "tar"])
def test_a_mask_or_overviews_that_are_another_text(tmp_path, ending, kind):
    """GDAL opens them with any driver: here a VRT over a file elsewhere, which then is the mask."""
    (tmp_path / "p").mkdir()
    path, beside = image(tmp_path / "p" / "B04.tif"), tmp_path / "p" / f"B04.tif{ending}"
    elsewhere = write(tmp_path / "elsewhere.tif", np.zeros((1, SIDE, SIDE), np.uint8))
    flags = '<Metadata><MDI key="INTERNAL_MASK_FLAGS_1">2</MDI></Metadata>'
    text = (
        vrt_text(source_text(elsewhere)).replace("UInt16", "Byte").replace("<VRTRasterBand", f"{flags}<VRTRasterBand")
    )
    beside.write_text(text)
    if ending == ".msk":
        with rasterio.open(path) as dataset:
            assert not dataset.read_masks(1).any(), "by default GDAL takes it, so that this test can fail"
    if kind == "disk":
        return refused(path, "overviews or a mask")
    if kind == "zip":
        with zipfile.ZipFile(tmp_path / "p.zip", "w") as packed:
            for each in (path, beside):
                packed.write(each, each.name)
    else:
        with tarfile.open(tmp_path / "p.tar", "w") as tape:
            for each in (path, beside):
                tape.add(each, each.name)
    with pytest.raises(InputError, match="overviews or a mask"):
        open_raster(tmp_path / f"p.{kind}", bands="s2-l2a")


def test_true_overviews_and_masks_are_read(tmp_path):
    path = image(tmp_path / "B04.tif")
    write(tmp_path / "B04.tif.msk", np.zeros((1, SIDE, SIDE), np.uint8), tags={"INTERNAL_MASK_FLAGS_1": "2"})
    with rasterio.Env(TIFF_USE_OVR=True), rasterio.open(path, "r+") as dataset:
        dataset.build_overviews([2, 4])
    assert (tmp_path / "B04.tif.ovr").exists()
    with open_dataset(str(path)) as dataset:
        assert dataset.overviews(1) == [2, 4]
        assert not dataset.read_masks(1).any()


def test_overviews_that_an_image_names(tmp_path):
    path, other = image(tmp_path / "B04.tif"), image(tmp_path / "other.tif")
    for name in (str(other), ":::BASE:::../other.tif"):
        (tmp_path / "B04.tif.aux.xml").write_text(
            f'<PAMDataset><Metadata domain="OVERVIEWS"><MDI key="OVERVIEW_FILE">{name}</MDI></Metadata></PAMDataset>'
        )
        refused(path, "found overviews in")


# VRTs


@pytest.mark.parametrize("name", ["scene.tif", "scene.jp2", "scene", "scene.vrt"])
def test_a_vrt_is_one_whatever_its_ending(tmp_path, name):
    """The reader of VRTs completes it from its source, which GDAL does not."""
    values = distinct(3, SIDE, SIDE)
    write(tmp_path / "a.tif", values, names=NAMES[:3], scales=[2e-4] * 3, offsets=[0.0] * 3)
    copy_raster(tmp_path / "a.tif", tmp_path / "b.vrt", driver="VRT")
    text = (tmp_path / "b.vrt").read_text()
    for gone in ("<Scale>0.0002</Scale>", *(f"<Description>{each}</Description>" for each in NAMES[:3])):
        assert gone in text
        text = text.replace(gone, "")
    (tmp_path / name).write_text(text)
    with open_raster(tmp_path / name, bands="s2-l1c") as raster:
        assert [band.name for band in raster.bands] == list(NAMES[:3])
        assert raster.scale == (2e-4,) * 3
        assert np.array_equal(raster.read().values[0], values)


def test_a_vrt_among_the_files_of_a_folder(tmp_path):
    """What completes a VRT is not applied there, so it is not read at all."""
    (tmp_path / "p").mkdir()
    (tmp_path / "p" / "B04.tif").write_text(vrt_text(source_text(image(tmp_path / "a.tif"))))
    image(tmp_path / "p" / "B08.tif")
    with pytest.raises(RasterError, match="found a VRT; expected an image itself"):
        open_raster(tmp_path / "p", bands="s2-l2a")


def hidden_sources(other, address):
    """VRTs through which GDAL reads a file that a plain search for SourceFilename elements does not find."""
    within = vrt_text(source_text(other)).replace("<", "&lt;")
    raw = f"<SourceFilename>{other}</SourceFilename><ImageOffset>8</ImageOffset>"
    return {
        "attribute": (vrt_text(f'<SimpleSource SourceFilename="{other}" SourceBand="1"/>'), "GDAL writes none"),
        "case": (vrt_text(source_text(other).replace("SourceFilename", "sourcefilename")), "GDAL writes none"),
        "comment": (vrt_text(source_text(f"{other}<!-- -->x")), "inside a source's name"),
        "element": (vrt_text(source_text(f"<a>{other}</a>")), "inside a source's name"),
        "in the name": (vrt_text(source_text(within)), "XML in place of a file's name"),
        "scheme": (vrt_text(source_text(f"vrt://{other}?bands=1")), "remote source|description of an image"),
        "raw": (
            vrt_text(raw).replace("<VRTRasterBand", '<VRTRasterBand subClass="VRTRawRasterBand"'),
            "raw band, which takes the bytes",
        ),
        "class": (vrt_text("", ' subClass="VRTProcessedDataset"'), "found a VRTProcessedDataset"),
        "overviews": (
            vrt_text(source_text(other)).replace(
                "<VRTRasterBand",
                f'<Metadata domain="OVERVIEWS"><MDI key="OVERVIEW_FILE">{other}</MDI></Metadata><VRTRasterBand',
            ),
            "file of overviews",
        ),
        "heights": (vrt_text(f"{source_text(other)}<DEMPath>{other}</DEMPath>"), "file of heights"),
        "driver": (vrt_text(source_text(f"WMS:{address}/x")), "remote source"),
        "other driver": (vrt_text(source_text("PLMOSAIC:mosaic=a")), "found the source PLMOSAIC"),
        "virtual": (vrt_text(source_text(f"/vsicurl/{address}/x.tif")), "remote source"),
        "virtual in another": (vrt_text(source_text(f"/vsizip/vsicurl/{address}/x.zip/a.tif")), "remote source"),
        "beside": (vrt_text(source_text(f"{address}/x.tif", relative=1)), "remote source"),
        "overview": (
            vrt_text(f"{source_text(other)}<Overview><SourceFilename>{address}/x.tif</SourceFilename></Overview>"),
            "remote source",
        ),
        "mask": (
            vrt_text(source_text(other)).replace(
                "</VRTDataset>",
                f"<MaskBand><VRTRasterBand>{source_text(f'{address}/x.tif')}</VRTRasterBand></MaskBand></VRTDataset>",
            ),
            "remote source",
        ),
    }


@pytest.mark.parametrize("ending", ["tif", "vrt"])
@pytest.mark.parametrize("how", hidden_sources("", ""))
def test_what_a_vrt_may_not_name(tmp_path, server, how, ending):
    address, asked = server
    text, words = hidden_sources(image(tmp_path / "other.tif"), address)[how]
    (tmp_path / f"scene.{ending}").write_text(text)
    refused(tmp_path / f"scene.{ending}", words)
    assert asked == []


@pytest.mark.parametrize("how", ["raw", "class", "overviews", "heights", "scheme", "attribute", "in the name"])
def test_what_is_refused_with_remote_sources_too(tmp_path, how):
    """A raw band shows the bytes of a file on this machine: that remote images may be read is no reason to read it."""
    text, _ = hidden_sources(image(tmp_path / "other.tif"), "http://127.0.0.1:9")[how]
    (tmp_path / "scene.vrt").write_text(text)
    with pytest.raises(InputError) as raised:
        open_raster(tmp_path / "scene.vrt", bands="s2-l2a", allow_remote=True)
    assert "remote" not in str(raised.value)
    if how != "scheme":  # which only looks like the name of a remote image
        with pytest.raises(InputError) as raised:
            open_raster(tmp_path / "scene.vrt", bands="s2-l2a")
        assert "remote" not in str(raised.value)
        assert not raised.value.advice


@pytest.mark.parametrize("name", ["tiles.tif", "tiles.dat"])
@pytest.mark.parametrize("place", ["source", "overview", "vrt in a vrt"])
def test_an_address_in_a_file_that_a_vrt_names(tmp_path, server, name, place):
    """tiles.dat has a header beside it, so that a listed driver (ENVI) takes it; in the VRT, GDAL would not."""
    address, asked = server
    (tmp_path / name).write_text(tiles_of(address))
    if name.endswith("dat"):
        (tmp_path / "tiles.hdr").write_text("ENVI\nsamples = 4\nlines = 4\nbands = 1\ndata type = 1\nbyte order = 0\n")
    text = vrt_text(source_text(tmp_path / name))
    if place == "overview":
        own = source_text(image(tmp_path / "a.tif"))
        text = vrt_text(f"{own}<Overview><SourceFilename>{tmp_path / name}</SourceFilename></Overview>")
    if place == "vrt in a vrt":
        (tmp_path / "inner.img").write_text(text)
        text = vrt_text(source_text("inner.img", relative=1))
    (tmp_path / "scene.vrt").write_text(text)
    refused(tmp_path / "scene.vrt", "found '<GDAL_WMS>")
    assert asked == []


def test_a_source_of_a_driver_that_is_not_listed(tmp_path):
    other = tmp_path / "other.pix"
    with rasterio.open(other, "w", driver="PCIDSK", height=SIDE, width=SIDE, count=1, dtype="uint16") as dataset:
        dataset.write(land(SIDE, SIDE, 0, 1))
    (tmp_path / "scene.vrt").write_text(vrt_text(source_text(other)))
    with rasterio.open(tmp_path / "scene.vrt") as dataset:
        assert dataset.read().any()
    refused(tmp_path / "scene.vrt", "not recognized")
    refused(other, "not recognized")


# names


@pytest.mark.parametrize(
    "name",
    [
        *("http://a.org/b.tif", "https://a.org/b.tif", "s3://bucket/b.tif", "gs://bucket/b.tif", "HTTP://a.org/b.tif"),
        *("/vsicurl/http://a.org/b.tif", "/vsis3/bucket/b.tif", "/vsistdin/", "/vsisubfile/0_9,a.tif"),
        *(
            "/vsizip/vsicurl/http://a.org/b.zip/c.tif",
            "/vsizip//vsis3/bucket/b.zip/c.tif",
            "/vsitar/{/vsis3/b/c.tar}/d",
        ),
        *("zip+https://a.org/b.zip!c.tif", 'NETCDF:"http://a.org/b.nc":c', "WMS:http://a.org/b", "dap4://a.org/b"),
    ],
)
def test_names_of_files_elsewhere(name):
    with pytest.raises(RasterError, match="found a remote source; expected a local file"):
        refuse_remote(name)


@pytest.mark.parametrize(
    "name",
    [
        *("/data/b.tif", "b.tif", "C:\\data\\b.tif", "a:b.tif", "/vsizip/{/data/b.zip}/c.tif", "/vsitar//data/b.tar/c"),
        *("HDF5:b.h5://c", 'HDF5:"/data/b.h5"://c/d', "GTIFF_DIR:2:/data/b.tif", "NETCDF:b.nc:c", "file:///data/b.tif"),
        *("zip:///data/b.zip!c.tif", "s2/http/b.tif"),
    ],
)
def test_names_of_local_files(name):
    refuse_remote(name)
