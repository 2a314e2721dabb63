"""Each kind of wrong file gives one clear message, on opening or reading, and leaves nothing behind."""

import os
import struct
from pathlib import Path

import numpy as np
import pytest
from made_rasters import distinct, write

from spectralgpt.checks import check
from spectralgpt.errors import InputError, RasterError
from spectralgpt.products import open_raster
from spectralgpt.raster import Window
from spectralgpt.raster.marks import ResultMark, tags_of

NAMES = ["B02", "B03", "B10"]


def refused(path: Path, says: str, read: bool = False) -> None:
    before = {name.name: name.read_bytes() for name in path.parent.iterdir() if name.is_file()}

    def work() -> None:
        with open_raster(path) as raster:
            check(raster)
            if read:
                raster.read()

    with pytest.raises(InputError, match=says) as caught:
        work()
    assert isinstance(caught.value, RasterError)
    assert str(path) in str(caught.value)
    assert caught.value.expected or caught.value.do
    assert "\n" not in str(caught.value)
    after = {name.name: name.read_bytes() for name in path.parent.iterdir() if name.is_file()}
    assert after == before


def test_not_there(tmp_path):
    refused(tmp_path / "missing.tif", "does not exist")


@pytest.mark.parametrize("text", [b"this is no image", b"\x00" * 1000, b"II*\x00", b"1 2 3\n4 5 6\n", b"{}"])
def test_not_a_raster(tmp_path, text):
    path = tmp_path / "scene.tif"
    path.write_bytes(text)
    refused(path, "cannot be opened as an image")


def test_empty(tmp_path):
    path = tmp_path / "scene.tif"
    path.touch()
    refused(path, "found an empty file")


@pytest.mark.parametrize("how", [{}, {"compress": "deflate"}, {"tiled": True, "blockxsize": 64, "blockysize": 64}])
@pytest.mark.parametrize("interleave", ["band", "pixel"])
def test_cut_off_anywhere(tmp_path, how, interleave):
    whole = write(tmp_path / "whole.tif", distinct(3, 200, 210), names=NAMES, interleave=interleave, **how).read_bytes()
    folder = tmp_path / "cut"
    folder.mkdir()
    for share in (0.0001, 0.001, 0.01, 0.1, 0.5, 0.9, 0.999):
        path = folder / "scene.tif"
        path.write_bytes(whole[: max(1, int(len(whole) * share))])
        refused(path, "found|cannot be", read=True)


def test_cut_off_in_a_cloud_optimized_file(tmp_path):
    whole = write(
        tmp_path / "whole.tif", distinct(3, 300, 310), driver="COG", names=NAMES, compress="deflate"
    ).read_bytes()
    folder = tmp_path / "cut"
    folder.mkdir()
    path = folder / "scene.tif"
    path.write_bytes(whole[: len(whole) * 9 // 10])
    refused(path, r"found \d+ bytes; expected at least \d+", read=True)


def test_damaged_in_the_pixels(tmp_path):
    path = write(tmp_path / "scene.tif", distinct(3, 200, 210), names=NAMES, compress="deflate", tiled=True)
    content = bytearray(path.read_bytes())
    middle = len(content) // 2
    content[middle : middle + 400] = b"\xff" * 400
    path.write_bytes(content)
    refused(path, "rows .* cannot be read.*download it again", read=True)


def test_absurd_sizes_in_the_header(tmp_path):
    path = write(tmp_path / "scene.tif", distinct(3, 64, 64), names=NAMES)
    content = bytearray(path.read_bytes())
    directory = struct.unpack_from("<I", content, 4)[0]
    for entry in range(struct.unpack_from("<H", content, directory)[0]):
        at = directory + 2 + 12 * entry
        if struct.unpack_from("<H", content, at)[0] in (256, 257):  # ImageWidth, ImageLength
            struct.pack_into("<HII", content, at + 2, 4, 1, 2_000_000)
    path.write_bytes(content)
    refused(path, "found a header of 3 bands of 2000000 x 2000000 pixels|cannot be opened")


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_full_of_nan(tmp_path, dtype):
    path = write(tmp_path / "scene.tif", np.full((3, 700, 600), np.nan, dtype), names=NAMES, compress="deflate")
    refused(path, "found no valid")


def test_nothing_but_nodata(tmp_path):
    path = write(tmp_path / "scene.tif", np.zeros((3, 70, 60), np.uint16), names=NAMES, nodata=0)
    refused(path, "found no valid pixel")


def test_nothing_but_nan_with_a_scale(tmp_path):
    values = np.full((3, 70, 60), np.nan, np.float32)
    refused(write(tmp_path / "scene.tif", values, names=NAMES, scales=(1e-4,) * 3), "found no valid pixel")


def test_complex_numbers(tmp_path):
    path = write(tmp_path / "scene.tif", np.zeros((3, 7, 6), np.complex64), names=NAMES)
    refused(path, "found values of complex64")


def test_a_broken_file_of_a_folder(tmp_path):
    write(tmp_path / "a_B02.tif", distinct(1, 8, 8))
    (tmp_path / "a_B03.tif").write_bytes(b"")
    with pytest.raises(RasterError, match=r"a_B03.tif: found an empty file"):
        open_raster(tmp_path)


def test_a_file_that_goes_while_it_is_read(tmp_path):
    path = write(tmp_path / "scene.tif", distinct(3, 64, 64), names=NAMES)
    raster = open_raster(path)
    path.unlink()
    with pytest.raises(RasterError, match=r"scene.tif: cannot be opened as an image"):
        raster.read(Window(0, 0, 8, 8))
    assert not os.listdir(tmp_path)


def test_text_that_is_not_utf8_in_a_header(tmp_path):
    path = write(tmp_path / "a.tif", distinct(3, 8, 8), names=["caf# au lait", "B03", "B04"])
    path.write_bytes(path.read_bytes().replace(b"caf#", b"caf\xe9"))  # Latin-1
    refused(path, r"text that is not UTF-8 in its header \('.*caf\\xe9 au.*expected .*UTF-8")
    assert ResultMark.among(tags_of(path)) is None  # not ours, so it is not replaced
