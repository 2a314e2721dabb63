#!/bin/sh
# rasterio 1.4.4 (GDAL 3.10.3), numpy 2.4.6; the same with rasterio 1.5.2 (GDAL 3.12.2).
#
# Overviews of a tiled GeoTIFF with many bands that is stored pixel by pixel (interleave "pixel") take about ten times
# as long to make as those of the same bands stored band by band, and the larger the image, the worse; most of it is
# spent in the operating system. Whoever wants a file stored pixel by pixel with overviews is better off to make them in
# a temporary one stored band by band, and to copy that together with its overviews. GDAL's issue 12303 describes a
# likely cause: large overviews go through a temporary file, from which bands are copied one at a time into tiles that
# hold all bands.
#
# Why it matters: maps of embeddings have dozens to hundreds of bands, which are read together, and are therefore
# stored pixel by pixel. Of one with 192 bands and 1373 x 1373 pixels, overviews took 164 s instead of 3.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check rasterio==1.4.4 numpy==2.4.6
cd "$folder"
cat > show.py <<'PY'
import os
import time

import numpy as np
import rasterio
from rasterio.enums import Resampling

print("rasterio", rasterio.__version__, "GDAL", rasterio.__gdal_version__)
BANDS, SIDE = 128, 700
PROFILE = {"driver": "GTiff", "height": SIDE, "width": SIDE, "count": BANDS, "dtype": "float32", "tiled": True}
PROFILE |= {"blockxsize": 128, "blockysize": 128, "transform": rasterio.Affine(10, 0, 0, 0, -10, 0)}
values = np.random.default_rng(0).normal(size=(BANDS, SIDE, SIDE)).astype(np.float32)
taken, overviews = {}, {}
for interleave in ("band", "pixel"):
    with rasterio.open(f"{interleave}.tif", "w", interleave=interleave, **PROFILE) as file:
        file.write(values)
        before, start = os.times(), time.perf_counter()
        file.build_overviews([2, 4], Resampling.average)
    wall, after = time.perf_counter() - start, os.times()
    taken[interleave] = after.user + after.system - before.user - before.system
    print(f"{interleave}: {wall:.1f} s, {taken[interleave]:.1f} s of a core, {after.system - before.system:.1f} in the system")
    with rasterio.open(f"{interleave}.tif", overview_level=0) as file:
        overviews[interleave] = file.read()
assert np.array_equal(overviews["band"], overviews["pixel"])
assert taken["pixel"] > 4 * taken["band"], "behaviour changed: as fast pixel by pixel"
print("as described")
PY
"$folder/venv/bin/python" show.py
