"""Counts in the header of a classic NetCDF file are checked before the library reads them."""

import struct

import pytest
import rasterio.shutil
from made_rasters import NAMES, land, write

from spectralgpt.errors import RasterError
from spectralgpt.products import header as module
from spectralgpt.products.classic_netcdf import CountedHeader, refuse_impossible_counts
from spectralgpt.products.header import read_header


@pytest.fixture(params=["NC", "NC2"])
def file(request, tmp_path):
    tags = {"NOTE": "counted"}
    write(tmp_path / "a.tif", land(8, 9, bands=2), names=NAMES[:2], tags=tags)
    rasterio.shutil.copy(tmp_path / "a.tif", tmp_path / "a.nc", driver="netCDF", FORMAT=request.param)
    return tmp_path / "a.nc"


def test_the_walk_ends_where_the_first_variable_lies(file):
    content = file.read_bytes()
    header = CountedHeader(content, wide=False, far=content[3] == 2)
    header.walk(len(content))
    assert 200 < header.at < len(content)
    assert header.at <= struct.unpack_from(">I", content, header.at - 4)[0] <= len(content)
    refuse_impossible_counts(str(file), len(content))


@pytest.mark.parametrize("before", [b"GDAL_NOTE", b"counted"])
def test_counts_beyond_the_file_are_refused_before_it_is_opened(file, monkeypatch, before):
    content = file.read_bytes()
    at = content.index(before) - 4
    file.write_bytes(content[:at] + struct.pack(">I", len(content) + 1) + content[at + 4 :])
    monkeypatch.setattr(module, "open_dataset", lambda path: pytest.fail("opened"))
    with pytest.raises(RasterError, match=rf"a\.nc: found {len(content) + 1} \w+ in the header of a file of"):
        read_header(str(file))


def test_other_files_and_short_ones_are_left_to_the_library(file, tmp_path):
    content = file.read_bytes()
    for other in (b"", b"CDF", b"CDF\1", content[:90], b"CDG" + content[3:], b"\x89HDF" + content):
        (tmp_path / "b.nc").write_bytes(other)
        refuse_impossible_counts(str(tmp_path / "b.nc"), len(other))
