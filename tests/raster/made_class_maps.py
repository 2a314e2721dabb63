"""Made maps of classes of any size, in rows, and the memory that their polygons take.

    python tests/raster/made_class_maps.py noisy 2000 2000 8000

prints for maps 2,000 pixels wide and 2,000 and 8,000 high: polygons, and by how much the most memory of the process is
above that before, in MB.
"""

import resource
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from affine import Affine
from rasterio.crs import CRS

from spectralgpt.raster import Grid
from spectralgpt.raster.geopackage import write_polygons
from spectralgpt.raster.polygons import polygons_of_rows

CLASSES = 3
ROWS = 100
"""Of a block."""


def class_rows(kind: str, height: int, width: int) -> Iterator[np.ndarray]:
    """calm: fields of some dozens of pixels. noisy: each pixel is drawn alone."""
    for top in range(0, height, ROWS):
        rows = min(ROWS, height - top)
        if kind == "noisy":
            yield np.random.default_rng(top).integers(0, CLASSES, (rows, width)).astype(np.uint8)
        else:
            y, x = np.mgrid[top : top + rows, :width]
            fields = np.sin(x / 37) + np.sin(y / 53) + np.sin((x + 2 * y) / 91) > 0.3
            yield (fields.astype(np.uint8) + (np.sin(x / 11) * np.sin(y / 13) > 0.7)).astype(np.uint8)


def polygons_and_memory(kind: str, height: int, width: int) -> tuple[int, float]:
    """The number of polygons of such a map, written to a GeoPackage, and what they took, in MB. In a process of its
    own."""
    done = subprocess.run(
        [sys.executable, __file__, kind, str(width), str(height), "--alone"], capture_output=True, text=True, check=True
    )
    count, memory = done.stdout.split()
    return int(count), float(memory)


def _measured(kind: str, height: int, width: int) -> tuple[int, float]:
    grid = Grid(CRS.from_epsg(32618).to_wkt(), Affine(10, 0, 5e5, 0, -10, 4e6), height, width)
    names = [f"class {index}" for index in range(CLASSES)]
    with tempfile.TemporaryDirectory() as folder:
        write_polygons(Path(folder) / "small.gpkg", [], names, grid.crs, {})
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        found = polygons_of_rows(class_rows(kind, height, width), lambda values: values < CLASSES, grid)
        count = write_polygons(Path(folder) / "map.gpkg", found, names, grid.crs, {})
    return count, (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024


if __name__ == "__main__":
    if sys.argv[-1] == "--alone":
        print(*_measured(sys.argv[1], int(sys.argv[3]), int(sys.argv[2])))
    else:
        for each in sys.argv[3:]:
            print(each, *polygons_and_memory(sys.argv[1], int(each), int(sys.argv[2])), flush=True)
