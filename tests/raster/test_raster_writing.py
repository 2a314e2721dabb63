"""What is written is read back the same, is cloud optimized, and is whole or absent."""

import itertools
import os
import re
import threading
import tracemalloc

import numpy as np
import pytest
import rasterio
from affine import Affine
from hypothesis import example, given, settings
from hypothesis import strategies as st
from made_disks import fill_disk, small_disk
from made_rasters import PLACE, distinct
from rasterio.crs import CRS
from rio_cogeo.cogeo import cog_validate

from spectralgpt.errors import TargetError
from spectralgpt.products import open_raster
from spectralgpt.raster import SENSOR_TAG, CogWriter, Grid, Profile, check_target, write_raster

WKT = CRS.from_epsg(32618).to_wkt()


def grid(height: int, width: int) -> Grid:
    return Grid(WKT, PLACE, height, width)


def profile(values: np.ndarray, **how) -> Profile:
    count, height, width = values.shape
    return Profile(how.pop("grid", grid(height, width)), count, str(values.dtype), **how)


@pytest.mark.parametrize("interleave", ["pixel", "band"])
@pytest.mark.parametrize(
    ("dtype", "nodata"), [("uint8", 0), ("int8", -128), ("uint16", 65535), ("int16", -9999), ("float32", np.nan)]
)
def test_a_raster_survives(tmp_path, dtype, nodata, interleave):
    values = (distinct(3, 150, 301, "int32") % 100 + 1).astype(dtype)
    values[1, 5:9, 7] = nodata
    wanted = profile(
        values,
        nodata=nodata,
        descriptions=("B2", "B3", "B10"),
        scale=(1e-4, 2e-4, 5e-4),
        offset=(-0.1, 0.0, 3.0),
        tags={"made by": 'a < b & "c" ü', "TIFFTAG_SOFTWARE": "spectralgpt", SENSOR_TAG: "s2-l1c"},
        interleave=interleave,
        block=128,
    )
    path = tmp_path / "out.tif"
    write_raster(path, values, wanted)
    assert cog_validate(path, strict=True, quiet=True) == (True, [], [])
    with rasterio.open(path) as dataset:
        assert np.array_equal(dataset.read(), values, equal_nan=dtype == "float32")
        assert dataset.descriptions == wanted.descriptions
        assert dataset.interleaving.value.lower() == interleave
        assert dataset.block_shapes == [(128, 128)] * 3
        assert dataset.overviews(1) == [2, 4]
    with open_raster(path) as raster:
        pixels = raster.read()
        assert np.array_equal(pixels.values[0], values, equal_nan=dtype == "float32")
        assert raster.grid == wanted.grid
        assert raster.nodata == pytest.approx(nodata, nan_ok=True)
        assert raster.scale == wanted.scale
        assert raster.offset == wanted.offset
        assert raster.tags == wanted.tags
        assert [band.name for band in raster.bands] == ["B2", "B3", "B10"]
        assert raster.warnings == ()
        assert np.argwhere(~pixels.valid)[:, 1:].tolist() == [[1, row, 7] for row in range(5, 9)]
    assert os.listdir(tmp_path) == ["out.tif"]


@settings(max_examples=15)
@given(
    st.integers(1, 3),
    st.integers(1, 300),
    st.integers(1, 300),
    st.sampled_from([128, 512]),
    st.sampled_from(["pixel", "band"]),
    st.sets(st.integers(1, 299), max_size=5),
)
@example(1, 1500, 2, 128, "band", {7})
@example(2, 129, 1, 128, "pixel", set())
def test_rows_may_come_in_any_portions(tmp_path_factory, count, height, width, block, interleave, cuts):
    path = tmp_path_factory.mktemp("portions") / "out.tif"
    values = distinct(count, height, width)
    with CogWriter(path, profile(values, interleave=interleave, block=block)) as writer:
        for start, stop in itertools.pairwise(sorted({0, height} | {cut for cut in cuts if cut < height})):
            writer.write(start, values[:, start:stop])
    with rasterio.open(path) as dataset:
        assert np.array_equal(dataset.read(), values)
    assert cog_validate(path, strict=True, quiet=True) == (True, [], [])


def test_an_image_without_georeference(tmp_path):
    values = distinct(1, 20, 30)
    place = Grid(None, Affine.identity(), 20, 30)
    write_raster(tmp_path / "out.tif", values, profile(values, grid=place, descriptions=("B2",)))
    with open_raster(tmp_path / "out.tif", bands="s2-l1c") as raster:
        assert raster.grid == place
        assert np.array_equal(raster.read().values[0], values)


def test_many_bands_pixel_by_pixel(tmp_path):
    values = np.random.default_rng(0).normal(size=(192, 140, 150)).astype(np.float32)
    write_raster(tmp_path / "out.tif", values, profile(values, nodata=np.nan, block=128))
    with rasterio.open(tmp_path / "out.tif") as dataset:
        assert np.array_equal(dataset.read(), values)
        assert dataset.tags(ns="IMAGE_STRUCTURE")["LAYOUT"] == "COG"
    assert cog_validate(tmp_path / "out.tif", strict=True, quiet=True) == (True, [], [])


@pytest.mark.parametrize("interleave", ["pixel", "band"])
def test_overviews_are_made_band_by_band(tmp_path, interleave):
    """Pixel by pixel, GDAL takes ten times as long, and more for larger images
    (findings/rasterio_overviews_pixel_by_pixel.sh)."""
    values = distinct(5, 140, 150)
    with CogWriter(tmp_path / "out.tif", profile(values, interleave=interleave, block=128)) as writer:
        writer.write(0, values)
        (rows,) = tmp_path.glob(".*/rows.tif")
        with rasterio.open(rows) as dataset:
            assert dataset.interleaving.value == "BAND"
    with rasterio.open(tmp_path / "out.tif") as dataset:
        assert dataset.interleaving.value == interleave.upper()


@pytest.mark.parametrize("error", [RuntimeError, KeyboardInterrupt])
def test_an_exception_leaves_the_old_target_and_nothing_else(tmp_path, error):
    path = tmp_path / "out.tif"
    values = distinct(1, 20, 30)
    write_raster(path, values, profile(values))
    before = path.read_bytes()

    def work() -> None:
        with CogWriter(path, profile(values)) as writer:
            writer.write(0, values[:, :7])
            assert len(os.listdir(tmp_path)) == 2
            raise error

    with pytest.raises(error):
        work()
    assert path.read_bytes() == before
    assert os.listdir(tmp_path) == ["out.tif"]
    write_raster(path, values + 1, profile(values))
    with rasterio.open(path) as dataset:
        assert np.array_equal(dataset.read(), values + 1)


def test_rows_that_lack_leave_nothing(tmp_path):
    values = distinct(1, 20, 30)
    with (
        pytest.raises(ValueError, match="7 rows written; expected 20"),
        CogWriter(tmp_path / "out.tif", profile(values)) as writer,
    ):
        writer.write(0, values[:, :7])
    assert not os.listdir(tmp_path)


@pytest.mark.parametrize(
    ("row", "part"),
    [(1, np.s_[:, 1:3]), (0, np.s_[:, :, :3]), (0, np.s_[:0]), (0, np.s_[:, :, ::-1])],
)
def test_rows_that_do_not_fit_are_refused(tmp_path, row, part):
    values = distinct(1, 20, 30)
    given_rows = values[part].astype(np.int16) if part == np.s_[:, :, ::-1] else values[part]
    with pytest.raises(ValueError, match="found"), CogWriter(tmp_path / "out.tif", profile(values)) as writer:
        writer.write(row, given_rows)
    assert not os.listdir(tmp_path)


def test_its_own_files_may_lie_elsewhere(tmp_path):
    values = distinct(1, 20, 30)
    partial = tmp_path / "out.tif.partial"
    partial.mkdir()
    with CogWriter(tmp_path / "out.tif", profile(values), partial) as writer:
        assert os.listdir(tmp_path) == ["out.tif.partial"]
        writer.write(0, values)
    assert not os.listdir(partial)
    assert (tmp_path / "out.tif").is_file()


def test_memory_does_not_grow_with_the_image(tmp_path):
    wide, rows = 2000, np.ones((2, 64, 2000), np.float32)
    height = 64 * 40
    tracemalloc.start()
    with CogWriter(tmp_path / "out.tif", Profile(grid(height, wide), 2, "float32")) as writer:
        for start in range(0, height, 64):
            writer.write(start, rows)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 4 * rows.nbytes < 2 * height * wide * 4 / 5


def test_a_target_that_can_be_written_is_left_alone(tmp_path):
    check_target(tmp_path / "out.tif")
    check_target(tmp_path / "model.pth", kind="file")
    (tmp_path / "out.tif").write_bytes(b"old")
    check_target(str(tmp_path / "out.tif"))
    assert (tmp_path / "out.tif").read_bytes() == b"old"
    assert os.listdir(tmp_path) == ["out.tif"]


def test_targets_that_cannot_be_written(tmp_path, monkeypatch):
    (tmp_path / "file").write_text("")
    (tmp_path / "folder.tif").mkdir()
    for path, says in [
        (tmp_path / "missing" / "out.tif", "the folder .* does not exist"),
        (tmp_path / "file" / "out.tif", "is not a folder"),
        (tmp_path / "folder.tif", "is a folder"),
        (tmp_path / "out.png", "ends in .tif"),
    ]:
        with pytest.raises(TargetError, match=says):
            check_target(path)
        with pytest.raises(TargetError, match=says):
            write_raster(path, distinct(1, 2, 2), profile(distinct(1, 2, 2)))
    assert sorted(os.listdir(tmp_path)) == ["file", "folder.tif"]


def test_a_folder_without_permission(tmp_path, monkeypatch):
    # root may write anywhere: the refusal is simulated
    def refuse(*args, **kwargs):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("tempfile.TemporaryFile", refuse)
    with pytest.raises(TargetError, match=r"cannot be written to .Permission denied."):
        check_target(tmp_path / "out.tif")


def test_a_full_disk_is_the_users_to_mend(tmp_path, monkeypatch):
    def refuse(*args, **kwargs):
        raise OSError(28, "No space left on device")

    values = distinct(1, 2, 2)
    monkeypatch.setattr("spectralgpt.raster.writing.copy_raster", refuse)
    with pytest.raises(TargetError, match="No space left"):
        write_raster(tmp_path / "out.tif", values, profile(values))
    assert not os.listdir(tmp_path)


def test_a_full_disk_never_leaves_a_part_of_a_target(tmp_path):
    """GDAL closes a file that the disk cut off without an error: so it is read back before it gets its name."""
    values = np.random.default_rng(0).integers(0, 2**16, (3, 300, 300)).astype(np.uint16)  # does not compress
    size, outcomes = values.nbytes, []
    with small_disk(tmp_path / "disk", 2**22) as disk:
        target = disk / "out.tif"
        for left in (0, size // 2, size, 3 * size // 2, *range(2 * size, 4 * size, size // 8), 6 * size):
            filler = fill_disk(disk, left)
            said = refused(target, values)
            if said:
                assert [each.name for each in disk.iterdir()] == ["filler"]
                assert "cannot be written to" in said
                assert left > size or re.search(
                    r"No space left on device\), found .*B free; expected about 1\.4 MB", said
                )
            else:
                with rasterio.open(target) as file:
                    assert (file.read() == values).all()
                target.unlink()
            outcomes.append(bool(said))
            filler.unlink()
    assert outcomes == sorted(outcomes, reverse=True)
    assert set(outcomes) == {True, False}


def refused(target, values) -> str:
    """Why the raster is refused; empty when it is written."""
    try:
        write_raster(target, values, profile(values, block=64))
    except TargetError as error:
        return str(error)
    return ""


def test_writers_in_threads_do_not_meet(tmp_path):
    values = distinct(2, 60, 70)

    def work(number: int) -> None:
        write_raster(tmp_path / f"{number}.tif", values + number, profile(values))

    threads = [threading.Thread(target=work, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for number in range(4):
        with rasterio.open(tmp_path / f"{number}.tif") as dataset:
            assert np.array_equal(dataset.read(), values + number)
    assert len(os.listdir(tmp_path)) == 4


def test_a_layout_that_contradicts_itself():
    with pytest.raises(ValueError, match="2 descriptions for 1 bands"):
        Profile(grid(5, 5), 1, "uint8", descriptions=("a", "b"))
    with pytest.raises(ValueError, match="multiple of 16"):
        Profile(grid(5, 5), 1, "uint8", block=100)


def test_what_stands_beside_is_the_target_s_own(tmp_path):
    """Sidecars of an earlier file of that name do not count for the new one; a CRS that needs one has it."""
    target = tmp_path / "o.tif"
    (tmp_path / "o.tif.aux.xml").write_text(
        '<PAMDataset><PAMRasterBand band="1"><Description>OLD</Description><NoDataValue>5</NoDataValue>'
        "</PAMRasterBand></PAMDataset>"
    )
    values = distinct(1, 8, 8)
    write_raster(target, values, Profile(Grid(None, PLACE, 8, 8), 1, "uint16", descriptions=("B2",)))
    with rasterio.open(target) as dataset:
        assert (dataset.descriptions, dataset.nodata) == (("B2",), None)
    assert [path.name for path in tmp_path.iterdir()] == ["o.tif"]
    pole = "+proj=ob_tran +o_proj=longlat +o_lon_p=0 +o_lat_p=39.25 +lon_0=18 +datum=WGS84 +no_defs"
    crs = CRS.from_string(pole).to_wkt()
    write_raster(target, values, Profile(Grid(crs, PLACE, 8, 8), 1, "uint16"))
    with rasterio.open(target) as dataset:
        assert dataset.crs == CRS.from_wkt(crs)
