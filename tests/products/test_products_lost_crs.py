"""A file of a product that has lost its CRS, and lies on other pixels than the rest, is refused."""

import numpy as np
import pytest
from affine import Affine
from made_rasters import PLACE, land, write

from spectralgpt.errors import RasterError
from spectralgpt.products import open_raster
from spectralgpt.raster.grid import composed


def test_a_layer_of_clouds_that_lost_its_crs(tmp_path):
    for name in ("B02", "B03", "B04"):
        write(tmp_path / f"x_{name}.tif", land(64, 64, bands=1))
    clouds = np.zeros((1, 32, 32), np.uint8)
    write(tmp_path / "x_SCL.tif", clouds, names=("SCL",), crs=None, transform=composed(PLACE, Affine.scale(2)))
    with pytest.raises(RasterError, match="only one has a CRS"), open_raster(tmp_path, clouds="scl") as raster:
        raster.read()
