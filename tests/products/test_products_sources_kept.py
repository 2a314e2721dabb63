"""No result replaces a file that the sources read, whatever kind of source it is, and whatever the user allows.

As every verb that writes does: the sources are opened, then `check_replacing` is asked with what they read.
"""

import json
import os
import zipfile
from functools import partial

import pytest
from made_rasters import NAMES, land, write
from rasterio.shutil import copy as copy_raster

from made_safe import made_images, made_scene, make_safe, product_text, zipped
from spectralgpt.errors import TargetError
from spectralgpt.products import check_replacing, open_raster, source_files
from spectralgpt.raster import ResultMark


def image(path, bands=13):
    path.parent.mkdir(parents=True, exist_ok=True)
    return write(path, land(16, 16, 0, bands), names=NAMES[:bands])


def vrt(path, source, bands=13):
    """A VRT of all bands of a file, which it names relative to itself."""
    parts = "".join(
        f'<VRTRasterBand dataType="UInt16" band="{band}"><Description>{NAMES[band - 1]}</Description><SimpleSource>'
        f'<SourceFilename relativeToVRT="1">{os.path.relpath(source, path.parent)}</SourceFilename>'
        f"<SourceBand>{band}</SourceBand></SimpleSource></VRTRasterBand>"
        for band in range(1, bands + 1)
    )
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f'<VRTDataset rasterXSize="16" rasterYSize="16">{parts}</VRTDataset>')
    return path


def nested_vrts(folder, ending):
    """A source, and what it reads: by content these are VRTs, whatever their names end in."""
    below = image(folder / "below" / "image.tif")
    inner = vrt(folder / "middle" / f"inner.{ending}", below)
    outer = vrt(folder / f"outer.{ending}", inner)
    return [outer], [outer, inner, below]


def stac_item(folder):
    (folder / "far").mkdir()
    files = [write(folder / "far" / f"{name}.tif", land(16, 16, 0, 1)) for name in ("one", "two")]
    assets = {
        name: {"href": href, "type": "image/tiff", "eo:bands": [{"name": name}]}
        for name, href in (("B04", "./far/one.tif"), ("B08", files[1].as_uri()))
    }
    item = {
        **{"type": "Feature", "stac_version": "1.0.0", "id": "made", "geometry": None, "links": []},
        "properties": {"datetime": "2020-05-01T10:00:00Z", "platform": "sentinel-2a", "instruments": ["msi"]},
        "assets": assets,
    }
    (folder / "item.json").write_text(json.dumps(item))
    return [folder / "item.json"], [folder / "item.json", *files]


def safe_of(folder):
    return make_safe(folder, product_text("L2A"), made_images(), made_scene())


def safe_folder(folder):
    safe = safe_of(folder)
    return [safe], sorted(each for each in safe.rglob("*") if each.is_file())


def safe_by_metadata(folder):
    safe = safe_of(folder)
    return [safe / "MTD_MSIL2A.xml"], sorted(each for each in safe.rglob("*") if each.is_file())


def safe_in_a_zip(folder):
    archive = zipped(safe_of(folder / "unpacked"), folder / "p.zip")
    return [archive], [archive]


def zip_of_images(folder):
    (folder / "out").mkdir()
    with zipfile.ZipFile(folder / "p.zip", "w") as packed:
        for name in ("B02", "B04"):
            packed.write(write(folder / "out" / f"{name}.tif", land(16, 16, 0, 1)), f"{name}.tif")
    return [folder / "p.zip"], [folder / "p.zip"]


def folder_of_bands(folder):
    """Also a band that is a link, and files that are not chosen."""
    far = write(folder / "far.tif", land(16, 16, 0, 1))
    (folder / "p").mkdir()
    (folder / "p" / "B02.tif").symlink_to(far)
    others = [write(folder / "p" / f"{name}.tif", land(16, 16, 0, 1)) for name in ("B04", "B11")]
    (folder / "p" / "notes.txt").write_text("x")
    return [folder / "p"], [far, *others, folder / "p" / "notes.txt", folder / "p" / "B02.tif"]


def vrt_in_a_folder_of_dates(folder):
    first = image(folder / "a_2020-05-01.tif")
    copy_raster(image(folder / "below.tif"), folder / "b_2020-06-01.img", driver="VRT")
    return [first, folder / "b_2020-06-01.img"], [first, folder / "below.tif"]


KINDS = {
    **{f"vrts as .{ending}": partial(nested_vrts, ending=ending) for ending in ("tif", "img", "x", "vrt")},
    **{
        made.__name__: made
        for made in (stac_item, safe_folder, safe_by_metadata, safe_in_a_zip, zip_of_images, folder_of_bands)
    },
    "dates": vrt_in_a_folder_of_dates,
}

GIVEN_BANDS = {"zip_of_images": "s2-l2a", "folder_of_bands": "s2-l2a", "dates": "s2-l1c"}


@pytest.mark.parametrize("kind", KINDS)
def test_what_a_source_reads_is_never_replaced(kind, tmp_path):
    (tmp_path / "work").mkdir()
    sources, read = KINDS[kind](tmp_path / "work")
    linked = tmp_path / "link.tif"
    with open_raster(sources, bands="s2-l1c" if kind.startswith("vrts") else GIVEN_BANDS.get(kind)) as raster:
        files = source_files(sources, raster.paths)
        mark = ResultMark.of("embed", sources)
        for victim in read:
            for overwrite in (False, True):
                with pytest.raises(TargetError, match="is one of the sources"):
                    check_replacing([victim], mark, files, overwrite=overwrite, raster=raster)
        for victim in (each for each in read if str(each.resolve()) in files.files):
            os.link(victim.resolve(), linked)  # the same file under another name, like one of a target
            with pytest.raises(TargetError, match="is one of the sources"):
                check_replacing([linked], mark, files, overwrite=True, raster=raster)
            linked.unlink()
        assert check_replacing([tmp_path / "work" / "new.tif"], mark, files, overwrite=False, raster=raster) == ()


def test_a_folder_that_holds_a_source_is_not_replaced(tmp_path):
    """As `convert` replaces a folder of weights."""
    path = image(tmp_path / "w" / "model.pth")
    files = source_files([path])
    for overwrite in (False, True):
        with pytest.raises(TargetError, match=r"model\.pth in it is one of the sources"):
            check_replacing([tmp_path / "w"], ResultMark.of("convert", [path]), files, overwrite=overwrite)
