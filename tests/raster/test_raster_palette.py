"""A palette is in the file, also in its overviews, and only where a file can hold one."""

import numpy as np
import pytest
import rasterio
from affine import Affine
from made_rasters import PLACE
from rasterio.crs import CRS
from rasterio.enums import ColorInterp
from rio_cogeo.cogeo import cog_validate

from spectralgpt.raster import Grid, Profile, write_raster

WKT = CRS.from_epsg(32618).to_wkt()
COLOURS = ((44, 111, 187), (20, 83, 45), (209, 50, 45))


def profile(height: int, width: int, transform: Affine = PLACE, **how) -> Profile:
    given = {"count": 1, "dtype": "uint8", "nodata": 255, "resampling": "nearest", "colours": COLOURS} | how
    return Profile(grid=Grid(WKT, transform, height, width), **given)


@pytest.mark.parametrize(
    ("height", "width", "block", "overviews"), [(40, 30, 512, 0), (300, 140, 128, 2), (129, 700, 128, 3)]
)
def test_colours_of_the_file_and_of_its_overviews(tmp_path, capfd, height, width, block, overviews):
    row, column = np.mgrid[:height, :width]
    values = np.where(row < height // 3, 0, np.where(column < 11, 2, 1)).astype(np.uint8)
    values[-9:, -5:] = 255
    path = tmp_path / "classes.tif"
    write_raster(path, values[None], profile(height, width, block=block, tags={"CLASSES": "a, b, c"}))
    assert cog_validate(path, strict=True, quiet=True) == (True, [], [])
    assert [each.name for each in tmp_path.iterdir()] == ["classes.tif"]
    for level in range(-1, overviews):
        with rasterio.open(path, **({} if level < 0 else {"overview_level": level})) as dataset:
            assert [dataset.colormap(1)[value][:3] for value in range(3)] == list(COLOURS)
            assert dataset.colorinterp == (ColorInterp.palette,)
            assert dataset.nodata == 255
            assert dataset.tags()["CLASSES"] == "a, b, c"
            # of the classes that are there, none between them
            assert {0, 1} <= set(np.unique(dataset.read(1))) <= {0, 1, 2, 255}
            if level < 0:
                np.testing.assert_array_equal(dataset.read(1), values)
                assert len(dataset.overviews(1)) == overviews
    assert capfd.readouterr().err == ""  # GDAL warns of palettes with other resampling


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"count": 2}, "the only band, and 2 bands"),
        ({"dtype": "float32"}, "uint8 or uint16, not of float32"),
        ({"resampling": "average"}, "need overviews by 'nearest', not by 'average'"),
        ({"resampling": "mode"}, "need overviews by 'nearest', not by 'mode'"),
        ({"colours": COLOURS[:1] * 257}, "257 colours for the 256 values"),
    ],
)
def test_where_no_palette_can_be(change, named):
    with pytest.raises(ValueError, match=named):
        profile(20, 30, **change)


@pytest.mark.parametrize("count", [1, 256])
def test_as_many_colours_as_there_are_values(tmp_path, count):
    colours = tuple((value, 255 - value, 7) for value in range(count))
    values = np.arange(16 * 16, dtype=np.uint8).reshape(1, 16, 16)
    write_raster(tmp_path / "all.tif", values, profile(16, 16, nodata=None, colours=colours))
    with rasterio.open(tmp_path / "all.tif") as dataset:
        assert [dataset.colormap(1)[value][:3] for value in range(count)] == list(colours)
        np.testing.assert_array_equal(dataset.read(), values)
