"""The files that sources read."""

import json
import os
import zipfile
from pathlib import Path

import pytest
from made_rasters import NAMES, land, write
from real_rasters import IMAGES

from spectralgpt.products import open_raster, source_files


def names(files):
    return sorted(os.path.basename(each) for each in files.files)


def image(path):
    path.parent.mkdir(exist_ok=True)
    return write(path, land(16, 16), names=NAMES)


def mosaic(path, *sources):
    """A VRT of one band that names files relative to itself."""
    parts = "".join(
        f'<SimpleSource><SourceFilename relativeToVRT="1">{os.path.relpath(each, path.parent)}</SourceFilename>'
        "<SourceBand>1</SourceBand></SimpleSource>"
        for each in sources
    )
    band = f'<VRTRasterBand dataType="UInt16" band="1">{parts}</VRTRasterBand>'
    path.write_text(f'<VRTDataset rasterXSize="16" rasterYSize="16">{band}</VRTDataset>')
    return path


def test_a_file_with_what_lies_beside_it(tmp_path):
    path = image(tmp_path / "a.tif")
    for beside in ("a.tif.aux.xml", "a.tif.ovr", "a.hdr", "a.txt", "a.png"):
        (tmp_path / beside).touch()
    found = source_files([path])
    assert names(found) == ["a.hdr", "a.tif", "a.tif.aux.xml", "a.tif.ovr"]
    assert found.folders == ()
    assert found.reader_of(path) == ""
    assert found.reader_of(tmp_path / "a.tif.ovr") == str(path)
    assert found.reader_of(tmp_path / "a.png") is None


@pytest.mark.parametrize("name", ["link.tif", "hard.tif", "below/../a.tif"])
def test_a_file_under_another_name(tmp_path, name):
    path = image(tmp_path / "a.tif")
    (tmp_path / "below").mkdir()
    (tmp_path / "link.tif").symlink_to(path)
    os.link(path, tmp_path / "hard.tif")
    assert source_files([path]).reader_of(tmp_path / name) == ""
    assert source_files([tmp_path / name]).reader_of(path) == ""


def test_vrts_in_vrts(tmp_path):
    images = [image(tmp_path / "below" / f"{name}.tif") for name in "abc"]
    inner = mosaic(tmp_path / "below" / "inner.vrt", *images[:2])
    outer = mosaic(tmp_path / "outer.vrt", inner, images[2])
    assert names(source_files([outer])) == ["a.tif", "b.tif", "c.tif", "inner.vrt", "outer.vrt"]
    assert source_files([outer]).reader_of(images[0]) == str(tmp_path / "below" / "inner.vrt")
    assert source_files([outer]).reader_of(images[2]) == str(outer)


def test_a_vrt_of_itself_ends(tmp_path):
    path = mosaic(tmp_path / "self.vrt", tmp_path / "self.vrt")
    assert names(source_files([path])) == ["self.vrt"]
    (tmp_path / "broken.vrt").write_text("<VRTDataset>")
    assert names(source_files([tmp_path / "broken.vrt"])) == ["broken.vrt"]


def test_assets_of_a_stac_item(tmp_path):
    one, two = image(tmp_path / "one.tif"), image(tmp_path / "below" / "two.tif")
    hrefs = {"a": "./one.tif", "b": two.as_uri(), "c": "https://example.org/three.tif", "d": "missing.tif"}
    item = {"stac_version": "1.0.0", "assets": {key: {"href": href} for key, href in hrefs.items()}}
    (tmp_path / "item.json").write_text(json.dumps(item))
    found = source_files([tmp_path / "item.json"])
    assert names(found) == ["item.json", "one.tif", "two.tif"]
    assert found.reader_of(two) == str(tmp_path / "item.json")
    (tmp_path / "broken.json").write_text('{"stac_version": "1.0.0", "assets": 3}')
    assert names(source_files([tmp_path / "broken.json"])) == ["broken.json"]


def test_a_folder_reads_its_images_and_metadata(tmp_path):
    for name in ("B02.tif", "MTL.txt", "view.png", "table.csv", "deep"):
        (tmp_path / "p").mkdir(exist_ok=True)
        (tmp_path / "p" / name).touch()
    for given in (tmp_path / "p", tmp_path / "p" / "MTL.txt"):
        found = source_files([given])
        assert found.folder_of(tmp_path / "p" / "B02.tif") == str(tmp_path / "p")
        assert found.folder_of(tmp_path / "p" / "MTL.txt") is not None
        assert found.folder_of(tmp_path / "p" / "view.png") is None
        assert found.folder_of(tmp_path / "p" / "table.csv") is None
        assert found.folder_of(tmp_path / "p2.tif") is None


def test_archives_and_pages(tmp_path):
    path = image(tmp_path / "a.tif")
    with zipfile.ZipFile(tmp_path / "p.zip", "w") as packed:
        packed.write(path, "a.tif")
    archive = str(tmp_path / "p.zip")
    for inside in (f"/vsizip/{{{archive}}}/a.tif", f"/vsizip/{archive}/a.tif", f"GTIFF_DIR:2:{path}"):
        found = source_files([], [inside])
        assert names(found) == ["p.zip" if "vsizip" in inside else "a.tif"], inside


def test_what_is_no_file_is_left_out(tmp_path):
    path = image(tmp_path / "a.tif")
    found = source_files([f"{path}@2020-05-01", f"{path}@nonsense", "scl", "owner/name", tmp_path / "no.tif"])
    assert names(found) == ["a.tif"]


@pytest.mark.parametrize("folder", ["hls", "eurosat_ms", "bigearthnet_samples"])
def test_real_images(folder):
    for path in sorted(Path(IMAGES, folder).rglob("*.tif"))[:3]:
        with open_raster(path, bands="eurosat" if folder == "eurosat_ms" else None) as raster:
            assert source_files([path], raster.paths).reader_of(path) == ""
