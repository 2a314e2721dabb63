#!/bin/sh
# rasterio 1.4.4 (GDAL 3.10.3), numpy 2.4.6.
#
# STAC names properties with a prefix and a colon, like s2:processing_baseline. Written as tags of a GeoTIFF by
# `update_tags`, each is split at its colon: the file holds the tag s2 with the value "processing_baseline=05.09". Of
# several tags with one prefix, all are in the file, under the same name, but `tags()` returns the last alone. No error
# and no warning.
#
# Why it matters: since processing baseline 04.00, Sentinel-2's numbers have 1000 added. Whoever copies a STAC item's
# properties into a file's tags, to keep that fact, finds the product type under s2 and no baseline; reflectance is then
# 0.1 too bright. Another separator, like s2_processing_baseline, survives.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check rasterio==1.4.4 numpy==2.4.6
cd "$folder"
cat > show.py <<'PY'
import numpy as np
import rasterio
from affine import Affine

print({"rasterio": rasterio.__version__, "gdal": rasterio.__gdal_version__, "numpy": np.__version__})
WRITTEN = {
    "s2:processing_baseline": "05.09",
    "s2:product_type": "S2MSI2A",
    "eo:cloud_cover": "3.5",
    "s2_processing_baseline": "05.09",
}
profile = {"driver": "GTiff", "height": 4, "width": 4, "count": 1, "dtype": "uint16"}
profile |= {"crs": "EPSG:32633", "transform": Affine(10, 0, 600000, 0, -10, 4900020)}
with rasterio.open("scene.tif", "w", **profile) as dataset:
    dataset.write(np.full((1, 4, 4), 1500, np.uint16))
    dataset.update_tags(**WRITTEN)
with rasterio.open("scene.tif") as dataset:
    read = dataset.tags()
items = open("scene.tif", "rb").read().count(b'<Item name="s2">')
print("written:", WRITTEN)
print("read:   ", read)
print("items named s2 in the file:", items)
assert read["s2"] == "product_type=S2MSI2A", "behaviour changed"
assert read["eo"] == "cloud_cover=3.5", "behaviour changed"
assert not any(":" in name for name in read), "behaviour changed"
assert items == 2, "behaviour changed"
assert read["s2_processing_baseline"] == "05.09"
PY
venv/bin/python show.py
