#!/bin/sh
# pyarrow 26.0.1, geopandas 1.2.0.
#
# A GeoParquet file that is written in a stream has its bounding box ready only at the end, and pyarrow has a method for
# that: ParquetWriter.add_key_value_metadata("geo"), called after the last row group. The entry is in the file's footer,
# and geopandas.read_parquet finds it there. pyarrow's own readers do not: read_schema, read_table and dataset take the
# metadata from the stored Arrow schema (ARROW:schema), which was fixed when the writer was opened. So a table that
# passes through pyarrow (a filter, a concatenation, a dataset of several files) has lost its geometry column's meaning,
# while the file itself opens in geopandas. With store_schema=False all see it, but then a fixed-size list column (a
# vector per row) comes back as a plain list.
#
# Why it matters: a writer of large tables of footprints and vectors either has to know the box before the first row, or
# leave the box out (it is optional in GeoParquet 1.1.0) and put "geo" into the schema from the start.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check pyarrow==26.0.1 geopandas==1.2.0
cd "$folder"
cat > show.py <<'PY'
import json

import geopandas
import pyarrow as pa
import pyarrow.dataset
import pyarrow.parquet as pq
import shapely

print("pyarrow", pa.__version__, "geopandas", geopandas.__version__)
GEO = {"version": "1.1.0", "primary_column": "geometry", "columns": {"geometry": {"encoding": "WKB", "geometry_types": ["Point"]}}}
SCHEMA = pa.schema([pa.field("geometry", pa.binary()), pa.field("vector", pa.list_(pa.float32(), 2))])


def write(name, late, **options):
    schema = SCHEMA if late else SCHEMA.with_metadata({"geo": json.dumps(GEO)})
    column = pa.FixedSizeListArray.from_arrays(pa.array([1.0, 2.0], pa.float32()), 2)
    with pq.ParquetWriter(name, schema, **options) as writer:
        writer.write_table(pa.Table.from_arrays([pa.array([shapely.Point(5, 47).wkb]), column], schema=schema))
        if late:
            writer.add_key_value_metadata({"geo": json.dumps(GEO)})


def seen(name):
    return {
        "geopandas": len(geopandas.read_parquet(name)) == 1,
        "footer": b"geo" in pq.ParquetFile(name).metadata.metadata,
        "read_schema": b"geo" in (pq.read_schema(name).metadata or {}),
        "read_table": b"geo" in (pq.read_table(name).schema.metadata or {}),
        "dataset": b"geo" in (pyarrow.dataset.dataset(name).schema.metadata or {}),
        "vector": str(pq.read_schema(name).field("vector").type).partition("<")[0],
    }


write("late.parquet", late=True)
write("late_without_schema.parquet", late=True, store_schema=False)
write("early.parquet", late=False)
found = {name: seen(f"{name}.parquet") for name in ("late", "late_without_schema", "early")}
for name, each in found.items():
    print(name, each)
everywhere = dict.fromkeys(("geopandas", "footer", "read_schema", "read_table", "dataset"), True)
nowhere = {"read_schema": False, "read_table": False, "dataset": False}
assert found["late"] == {**everywhere, **nowhere, "vector": "fixed_size_list"}, "behaviour changed: late metadata"
assert found["late_without_schema"] == {**everywhere, "vector": "list"}, "behaviour changed without the stored schema"
assert found["early"] == {**everywhere, "vector": "fixed_size_list"}, "behaviour changed: early metadata"
print("as described")
PY
"$folder/venv/bin/python" show.py
