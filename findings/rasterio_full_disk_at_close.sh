#!/bin/sh
# rasterio 1.4.4 (GDAL 3.10.3), numpy 2.4.6.
#
# A GeoTIFF that the disk has no room for: if the room ends early, writing raises RasterioIOError. If it ends near the
# end of the file, what is missing is written only when the dataset is closed, and there nothing is raised: the `with`
# block, or rasterio.shutil.copy, ends as if all were well, with a message of C's on stderr alone, and leaves a file that
# no program opens. A limit of the size of files stands for the full disk here; a small file system in memory behaves
# alike.
#
# Why it matters: the usual way to write a raster safely (write beside it, then rename) renames a broken file. Whoever
# must not lose a result has to read it back, or compare checksums, before the rename.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check rasterio==1.4.4 numpy==2.4.6
cd "$folder"
cat > show.py <<'PY'
import resource
import signal
import warnings
from collections.abc import Callable
from pathlib import Path

import numpy as np
import rasterio
from rasterio.errors import RasterioIOError
from rasterio.shutil import copy

print("rasterio", rasterio.__version__, "GDAL", rasterio.__gdal_version__, "numpy", np.__version__)
warnings.simplefilter("ignore")  # no georeference
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)  # the system call fails instead
LIMITLESS = (resource.RLIM_INFINITY, resource.RLIM_INFINITY)
values = np.random.default_rng(0).integers(0, 60000, (1, 512, 512)).astype("uint16")


def write(path: str) -> None:
    with rasterio.open(path, "w", driver="GTiff", width=512, height=512, count=1, dtype="uint16") as dataset:
        dataset.write(values)


def limited(size: int, call: Callable[[], None]) -> str:
    """What a call raises where no file may be larger."""
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, resource.RLIM_INFINITY))
    try:
        call()
    except Exception as error:
        return type(error).__name__
    else:
        return "nothing"
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, LIMITLESS)


def readable(path: str) -> bool:
    try:
        with rasterio.open(path) as dataset:
            return bool((dataset.read() == values).all())
    except RasterioIOError:
        return False


write("whole.tif")
whole = Path("whole.tif").stat().st_size
found = []
for share in (0.3, 0.9, 1.1):
    size = int(share * whole)
    raised = limited(size, lambda: write("written.tif"))
    copied = limited(size, lambda: copy("whole.tif", "copied.tif", driver="GTiff"))
    found.append((raised, readable("written.tif"), copied, readable("copied.tif")))
    print(f"room for {share:.0%}: writing raises {found[-1][0]}, whole: {found[-1][1]}; "
          f"copying raises {found[-1][2]}, whole: {found[-1][3]}")
early, late, enough = found
assert early[0] == "RasterioIOError" and early[2] != "nothing", early
assert late == ("nothing", False, "nothing", False), late
assert enough == ("nothing", True, "nothing", True), enough
PY
"$folder/venv/bin/python" show.py
