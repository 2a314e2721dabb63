"""Tables of labelled images: formats, columns, and what is wrong in rows."""

import json

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from made_labels import image, mask, table
from spectralgpt.data.labels import LabelReading, find_labels
from spectralgpt.data.labels.table_columns import labels_in
from spectralgpt.data.labels.table_rows import centroid, read_rows
from spectralgpt.errors import DataError


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("table")
    for index in range(3):
        image(folder / "images" / f"{index}.tif", index)
        mask(folder / "masks" / f"{index}.tif")
    return folder


def read(path, **how):
    return find_labels(path, LabelReading(**how))


def test_csv_parquet_and_geojson_say_the_same(folder):
    rows = [(f"images/{index}.tif", "ab"[index % 2], "train", f"g{index}") for index in range(3)]
    header = ("image", "label", "split", "group")
    text = "\n".join(",".join(row) for row in (header, *rows))
    csv = read(table(folder / "same.csv", text))
    semicolons = read(table(folder / "semicolons.csv", "\ufeff" + text.replace(",", ";")))
    pq.write_table(pa.table(dict(zip(header, zip(*rows, strict=True), strict=True))), folder / "same.parquet")
    features = [
        {"type": "Feature", "geometry": None, "properties": dict(zip(header, row, strict=True))} for row in rows
    ]
    (folder / "same.geojson").write_text(json.dumps({"type": "FeatureCollection", "features": features}))
    assert csv.samples[1].labels == ("b",)
    assert csv.samples[1].image.paths == (str(folder / "images" / "1.tif"),)
    assert [(each.split, each.group) for each in csv.samples] == [("train", f"g{index}") for index in range(3)]
    for other in (semicolons, read(folder / "same.parquet"), read(folder / "same.geojson")):
        assert other.samples == csv.samples


def test_columns_are_found_in_any_case_and_by_their_other_names(folder):
    text = "FileName,Class_Name,Cluster,Center_Lon,CENTER_LAT,Date,Bands\nimages/0.tif,a,c1,3.5,-4,2020-05-01,s2-l1c\n"
    (sample,) = read(table(folder / "case.csv", text)).samples
    assert (sample.labels, sample.group, sample.position, sample.date) == (("a",), "c1", (3.5, -4.0), "2020-05-01")
    assert (sample.image.bands, sample.image.dates) == ("s2-l1c", ("2020-05-01",))


def test_several_labels_are_a_list_or_text_with_separators(folder):
    assert labels_in("a; b|c;a;") == ("a", "b", "c")
    assert labels_in("10 30 80") == ("10", "30", "80")
    assert labels_in("Beaches, dunes, sands") == ("Beaches, dunes, sands",)
    assert labels_in(["a, b", "c"]) == ("a, b", "c")
    pq.write_table(pa.table({"image": ["images/0.tif", "images/1.tif"], "tags": [["a"], []]}), folder / "list.parquet")
    found = read(folder / "list.parquet", label="tags")
    assert (found.target, [each.labels for each in found.samples]) == ("classes", [("a",), ()])
    assert read(table(folder / "text.csv", "image,labels\nimages/0.tif,a\n")).target == "classes"


def test_numbers_are_names_too(folder):
    pq.write_table(
        pa.table({"image": ["images/0.tif", "images/1.tif"], "label": [1.0, 12.0]}), folder / "float.parquet"
    )
    assert [each.labels for each in read(folder / "float.parquet").samples] == [("1",), ("12",)]


def test_masks_and_pairs(folder):
    found = read(table(folder / "mask.csv", "image,mask\nimages/0.tif,masks/0.tif\n"))
    assert (found.target, found.samples[0].mask) == ("mask", str(folder / "masks" / "0.tif"))
    rows = "image,after,label\nimages/0.tif,images/1.tif,masks/0.tif\nimages/0.tif,images/2.tif,masks/0.tif\n"
    found = read(table(folder / "pair.csv", rows))
    assert found.target == "change"
    assert [each.name for each in found.samples] == ["images/0.tif+images/1.tif", "images/0.tif+images/2.tif"]


def test_of_columns_that_say_the_same_the_one_with_names_counts(folder):
    rows = "image,class_index,class_name\nimages/0.tif,0,a\nimages/1.tif,1,b\nimages/2.tif,0,a\n"
    found = read(table(folder / "agree.csv", rows))
    assert [each.labels[0] for each in found.samples] == ["a", "b", "a"]
    assert found.notes == ("labels are those of the column class_name; class_index says the same",)


def test_columns_that_contradict_each_other_are_refused(folder):
    path = table(folder / "two.csv", "image,label,class_id\nimages/0.tif,a,0\nimages/1.tif,b,0\n")
    with pytest.raises(DataError, match=r"other classes in the column label than in class_id.*label='label' or label="):
        read(path)
    assert read(path, label="CLASS_ID").samples[0].labels == ("0",)
    both = table(folder / "both.csv", "image,label,mask\nimages/0.tif,a,masks/0.tif\n")
    with pytest.raises(DataError, match=r"labels in the columns mask, label.*label='mask' or label='label'"):
        read(both)
    assert read(both, label="mask").target == "mask"
    with pytest.raises(DataError, match=r"label='mark'.*has the columns image, label, mask.*Did you mean mask\?"):
        read(both, label="mark")


def test_a_similar_column_of_parts_counts_only_where_it_holds_parts(folder):
    found = read(table(folder / "similar.csv", "image,label,their_split\nimages/0.tif,a,train\nimages/1.tif,b,\n"))
    assert [each.split for each in found.samples] == ["train", ""]
    assert "the parts are those of the column their_split" in found.notes
    found = read(table(folder / "folds.csv", "image,label,their_split\nimages/0.tif,a,1\nimages/1.tif,b,2\n"))
    assert {each.split for each in found.samples} == {""}


def test_everything_wrong_in_rows_is_one_message(folder):
    text = (
        "image,mask,split,date,lon,lat\n"
        "images/0.tif,masks/0.tif,train,2020-05-01,3,4\n"
        "images/0.tif,masks/1.tif,train,2020-05-01,3,4\n"
        "images/7.tif,masks/8.tif,sometimes,2020-15-01,3,400\n"
        "images/1.tif,,test,,,\n"
    )
    with pytest.raises(DataError) as caught:
        read(table(folder / "wrong.csv", text))
    for part in (
        "found 6 kinds of faults",
        "found 2 paths without a file: images/7.tif, masks/8.tif",
        "found 1 image without a mask: images/1.tif",
        "found 1 image in an unknown part: images/7.tif (sometimes); expected train, val, test or nothing",
        "found 1 image with a date that cannot be read: images/7.tif (2020-15-01)",
        "found 1 image with a position that is none: images/7.tif (3, 400)",
        "found 1 image in more than one row: images/0.tif",
    ):
        assert part in str(caught.value)


def test_rows_without_image_or_label_are_left_out_with_a_note(folder):
    found = read(table(folder / "gaps.csv", "image,label\nimages/0.tif,a\nimages/1.tif,\n,b\n"))
    assert len(found.samples) == 1
    assert found.notes == ("left out: 1 row without a label", "left out: 1 row without an image")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "found no row"),
        ("image,label\n", "found no row"),
        ("picture,label\nx,a\n", "found the columns picture, label; expected one of the images: image, path, file"),
        ("image,kind\nx,a\n", r"found the columns image, kind; expected one of labels.*Name it: label='kind'$"),
        ("image,label,label\nx,a,b\n", "several columns called label"),
        ("image,label\nx,a,b\n", "found 3 values in row 1; expected 2"),
    ],
)
def test_tables_that_are_none_are_refused(tmp_path, text, words):
    with pytest.raises(DataError, match=words):
        read(table(tmp_path / "table.csv", text))


def test_a_damaged_table_is_refused(tmp_path):
    for name in ("a.parquet", "a.geojson"):
        with pytest.raises(DataError, match=f"{name}: is not a"):
            read(table(tmp_path / name, "not that"))
    (tmp_path / "deep.geojson").write_text("[" * 100_000)
    with pytest.raises(DataError, match=r"deep\.geojson: is not a geojson table"):
        read_rows(str(tmp_path / "deep.geojson"))
    (tmp_path / "list.geojson").write_text('{"features": [{"properties": ["image"]}]}')
    with pytest.raises(DataError, match="found properties that are no names with values"):
        read_rows(str(tmp_path / "list.geojson"))
    crs = {"type": "FeatureCollection", "features": [], "crs": {"properties": {"name": "EPSG:32633"}}}
    (tmp_path / "utm.geojson").write_text(json.dumps(crs))
    with pytest.raises(DataError, match=r"found the CRS .*EPSG:32633"):
        read_rows(str(tmp_path / "utm.geojson"))


def test_the_centroid_of_a_polygon_is_by_area():
    l_shape = [[0, 0], [2, 0], [2, 1], [1, 1], [1, 2], [0, 2], [0, 0]]
    found = centroid({"type": "Polygon", "coordinates": [l_shape]})
    assert found == pytest.approx((5 / 6, 5 / 6))
    assert centroid({"type": "Polygon", "coordinates": [l_shape[::-1]]}) == pytest.approx(found)
    assert centroid({"type": "MultiPolygon", "coordinates": [[l_shape], [l_shape]]}) == pytest.approx(found)
    assert centroid({"type": "Point", "coordinates": [7, -3]}) == (7.0, -3.0)
    assert centroid({"type": "LineString", "coordinates": [[0, 0], [2, 4]]}) == (1.0, 2.0)
    assert centroid(None) is None
    assert centroid({"type": "Polygon", "coordinates": [[[0, 0], [1, 1], [0, 0]]]}) is None


def test_positions_come_from_geometries(folder):
    place = {"type": "Point", "coordinates": [15.5, 49.0]}
    one = {"type": "Feature", "geometry": place, "properties": {"image": "images/0.tif", "label": "a"}}
    (folder / "place.geojson").write_text(json.dumps({"type": "FeatureCollection", "features": [one]}))
    assert read(folder / "place.geojson").samples[0].position == (15.5, 49.0)
