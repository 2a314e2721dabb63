"""Plain images in a zip or tar are read as they are beside it; anything else gets a sentence."""

import os
import tarfile
import zipfile
from pathlib import Path

import numpy as np
import pytest
from made_rasters import distinct, write

from spectralgpt.errors import RasterError
from spectralgpt.products import open_raster
from spectralgpt.products.source_files import source_files

BANDS = ("B02", "B03", "B04", "B8A")


def packed(target: Path, files: dict[str, Path]) -> Path:
    """An archive of files by their names in it."""
    if target.suffix == ".zip":
        with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as archive:
            for name, file in files.items():
                archive.write(file, name)
    else:
        with tarfile.open(target, "w") as archive:
            for name, file in files.items():
                archive.add(file, name)
    return target


def made(folder: Path, pattern: str, bands=BANDS) -> dict[str, Path]:
    """Single-band files by name."""
    folder.mkdir(exist_ok=True)
    return {
        pattern.format(band): write(folder / f"{number}.tif", distinct(1, 24, 16) + 50 * number)
        for number, band in enumerate(bands)
    }


@pytest.mark.parametrize("ending", [".zip", ".tar"])
@pytest.mark.parametrize("inside", ["a.tif", "scene/a.tif", "./deep/er/a.tiff"])
def test_one_raster(tmp_path, ending, inside):
    values = distinct(4, 24, 16)
    file = write(tmp_path / "a.tif", values, names=list(BANDS))
    archive = packed(tmp_path / f"in{ending}", {inside: file, "readme.txt": Path(__file__)})
    with open_raster(archive, bands="s2-l2a") as raster, open_raster(file, bands="s2-l2a") as plain:
        assert raster.bands == plain.bands
        assert raster.grid == plain.grid
        np.testing.assert_array_equal(raster.read().values, plain.read().values)
        # a result may not replace it
        assert source_files([], raster.paths).reader_of(archive) is not None


@pytest.mark.parametrize("ending", [".zip", ".tar"])
@pytest.mark.parametrize("pattern", ["{}.tif", "in/T32UQD_20200501T100031_{}_10m.tif"])
def test_single_band_files(tmp_path, ending, pattern):
    files = made(tmp_path / "made", pattern)
    archive = packed(tmp_path / f"in{ending}", files | {"__MACOSX/._B02.tif": Path(__file__)})
    with open_raster(archive, bands="s2-l2a") as raster:
        assert [band.name for band in raster.bands] == ["B2", "B3", "B4", "B8A"]
        assert raster.dates == (("2020-05-01",) if "2020" in pattern else ("",))
        for number in range(4):
            np.testing.assert_array_equal(raster.read().values[0, number], distinct(1, 24, 16)[0] + 50 * number)


@pytest.mark.parametrize("sensor", ["landsat8-c2l2", "landsat5-c2l2"])
def test_landsat_files_without_their_metadata(tmp_path, sensor):
    files = made(tmp_path / "made", "L_193026_SR_{}.TIF", ("B2", "B3", "B4", "B5"))
    with open_raster(packed(tmp_path / "in.zip", files), bands=sensor) as raster:
        assert [band.name for band in raster.bands] == ["B2", "B3", "B4", "B5"]


def test_files_of_several_dates(tmp_path):
    files = made(tmp_path / "a", "20200501_{}.tif") | made(tmp_path / "b", "20200610_{}.tif")
    with open_raster(packed(tmp_path / "in.zip", files), bands="s2-l2a") as raster:
        assert raster.dates == ("2020-05-01", "2020-06-10")


@pytest.mark.parametrize("ending", [".zip", ".tar"])
@pytest.mark.parametrize(
    ("names", "found"),
    [
        (("a.tif", "b.tif"), "2 images in the archive (a.tif, b.tif)"),
        (("one/a.tif", "two/a.tif", "three/a.tif"), "3 images in 3 folders in the archive"),
        (("notes.txt", "table.csv"), "no image in the archive (notes.txt, table.csv)"),
    ],
)
def test_anything_else_says_what_an_archive_may_hold(tmp_path, ending, names, found):
    file = write(tmp_path / "a.tif", distinct(3, 16, 16), names=["B02", "B03", "B04"])
    archive = packed(tmp_path / f"in{ending}", dict.fromkeys(names, file))
    with pytest.raises(RasterError, match="expected a product as its provider packs it, one raster, or") as caught:
        open_raster(archive)
    assert found in str(caught.value)
    assert os.fspath(archive) in str(caught.value)
