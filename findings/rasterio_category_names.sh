#!/bin/sh
# rasterio 1.4.4.
#
# Label rasters carry the names of their classes as category names or in a raster attribute table, in the file or in
# NAME.tif.aux.xml beside it. rasterio reads the colours (DatasetReader.colormap) but has no way to either of the others:
# no attribute, no tag and no profile entry shows them. GDAL reads them all the same: a copy with the driver VRT, a few
# lines of XML that rasterio.shutil.copy writes without touching a pixel, contains <CategoryNames> and
# <GDALRasterAttributeTable> as GDAL understands them.
#
# Why it matters: programs built on rasterio show "class 3" for rasters that say "forest", or parse .aux.xml themselves
# and miss what other formats keep in their own places.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check rasterio==1.4.4
cd "$folder"
cat > show.py <<'PY'
from pathlib import Path

import numpy as np
import rasterio
import rasterio.shutil

print("rasterio", rasterio.__version__, "GDAL", rasterio.__gdal_version__)
PROFILE = {"driver": "GTiff", "height": 2, "width": 2, "count": 1, "dtype": "uint8", "crs": "EPSG:32633"}
with rasterio.open("labels.tif", "w", transform=rasterio.Affine(10, 0, 0, 0, -10, 0), **PROFILE) as file:
    file.write(np.array([[[0, 1], [2, 1]]], np.uint8))
Path("labels.tif.aux.xml").write_text(
    """<PAMDataset><PAMRasterBand band="1">
<CategoryNames><Category>nothing</Category><Category>water</Category><Category>forest</Category></CategoryNames>
<GDALRasterAttributeTable tableType="thematic">
<FieldDefn index="0"><Name>Value</Name><Type>0</Type><Usage>5</Usage></FieldDefn>
<FieldDefn index="1"><Name>Class</Name><Type>2</Type><Usage>2</Usage></FieldDefn>
<Row index="0"><F>1</F><F>open water</F></Row><Row index="1"><F>2</F><F>old forest</F></Row>
</GDALRasterAttributeTable></PAMRasterBand></PAMDataset>"""
)
with rasterio.open("labels.tif") as file:
    shown = [file.tags(), file.tags(1), *(file.tags(1, ns=name) for name in file.tag_namespaces(1)), file.profile]
    shown += [file.descriptions, [name for name in dir(file) if "categor" in name.lower() or "attribute_t" in name.lower()]]
by_rasterio = [name for name in ("water", "open water") if name in str(shown)]
rasterio.shutil.copy("labels.tif", "labels.vrt", driver="VRT")
text = Path("labels.vrt").read_text()
by_vrt = [name for name in ("<Category>water</Category>", "<F>open water</F>") if name in text]
print("shown by rasterio:", by_rasterio)
print("in the VRT copy:", by_vrt)
assert by_rasterio == [], "behaviour changed: rasterio shows names of classes"
assert len(by_vrt) == 2, "behaviour changed: the VRT copy does not show them"
print("as described")
PY
"$folder/venv/bin/python" show.py
