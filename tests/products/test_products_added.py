"""The offset of Sentinel-2 that tags, names and STAC items state, and the note where only a date makes it possible."""

import json
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import rasterio
from made_rasters import land, write

from spectralgpt.checks.offset import may_be_left_in
from spectralgpt.products import open_raster
from spectralgpt.products.added import Added, added_in_name, added_in_tags
from spectralgpt.raster import Raster

L2A = ["B01", "B02", "B03", "B04", "B05", "B06", "B07", "B08", "B8A", "B09", "B11", "B12"]
L1C = [*L2A[:10], "B10", *L2A[10:]]
PRODUCT = "S2A_MSIL2A_20220301T101021_N0400_R022_T32UQD_20220301T140000"
OLD = "S2A_MSIL2A_20200301T101021_N0214_R022_T32UQD_20200301T140000"


def stack(path: Path, names: list[str] = L2A, dtype: str = "uint16", **how: object) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    return write(path, land(16, 16, bands=len(names)).astype(dtype), names=names, **how)


def single(folder: Path, name: str, band: str, **how: object) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    return write(folder / name, land(16, 16, bands=1), **({"names": [band]} | how))


def opened(path: Path, **how: str) -> Raster:
    with open_raster(path, **how) as raster:
        return raster


def is_noted(raster: Raster) -> bool:
    return any("may include the +1000" in warning for warning in raster.warnings)


@pytest.mark.parametrize(
    ("names", "dtype", "tags", "offset"),
    [
        (L2A, "uint16", {"BOA_ADD_OFFSET": "-1000"}, -0.1),
        (L1C, "uint16", {"RADIO_ADD_OFFSET": "-1000.0"}, -0.1),
        (L2A, "int16", {"BOA_ADD_OFFSET": "-500"}, -0.05),  # the tag's own value
        (L2A, "uint16", {"BOA_ADD_OFFSET": "0"}, 0.0),
        (L2A, "uint16", {"BOA_ADD_OFFSET_VALUES_LIST": " ".join(["-1000"] * 12)}, -0.1),
        (L2A, "uint16", {"PROCESSING_BASELINE": "05.10"}, -0.1),
        (L1C, "uint16", {"PROCESSING_BASELINE": "03.01"}, 0.0),
        (L2A, "float32", {"BOA_ADD_OFFSET": "-1000"}, -0.1),  # digital numbers in floats
    ],
)
def test_a_tag_decides(tmp_path, names, dtype, tags, offset):
    raster = opened(stack(tmp_path / "2023-05-01.tif", names, dtype, tags=tags))
    assert raster.offset == pytest.approx([offset] * len(names))
    assert raster.scale == (1e-4,) * len(names)
    assert any(f"offset {offset:g} from" in fact and next(iter(tags)) in fact for fact in raster.facts)
    assert not is_noted(raster)


def test_tags_of_bands_decide_one_by_one(tmp_path):
    path = stack(tmp_path / "image.tif", L2A)
    with rasterio.open(path, "r+") as dataset:
        for index in range(1, 13):
            dataset.update_tags(index, BOA_ADD_OFFSET="-1000" if index < 12 else "-2000")
    raster = opened(path)
    assert raster.offset == pytest.approx([-0.1] * 11 + [-0.2])
    assert any("of B12 from the tag BOA_ADD_OFFSET" in fact for fact in raster.facts)


def test_tags_with_names_of_bands(tmp_path):
    tags = {f"BOA_ADD_OFFSET_{band}": "-1000" if band != "B02" else "-900" for band in ("B02", "B03", "B04")}
    raster = opened(stack(tmp_path / "image.tif", ["B02", "B03", "B04"], tags=tags))
    assert raster.offset == pytest.approx([-0.09, -0.1, -0.1])


@pytest.mark.parametrize(
    "tags", [{"BOA_ADD_OFFSET": "none"}, {"BOA_ADD_OFFSET": "0 -1000"}, {"BOA_ADD_OFFSET_STILL_IN": "-1000"}]
)
def test_a_tag_that_states_no_number_decides_nothing(tmp_path, tags):
    raster = opened(stack(tmp_path / "image_2022-05-01.tif", tags=tags))
    assert raster.offset == (0.0,) * 12
    assert is_noted(raster)


@pytest.mark.parametrize(
    ("place", "offset"),
    [
        (f"{PRODUCT}.tif", -0.1),
        (f"{PRODUCT}/stack.tif", -0.1),
        ("T32UQD_20180301_N0500.tif", -0.1),  # processed again
        (f"{PRODUCT.replace('N0400', 'N0511')}.SAFE_/GRANULE/tile/IMG_DATA/stack.tif", -0.1),
        (f"{OLD}.tif", 0.0),
        (f"{OLD}/T32UQD_20220301T101021.tif", 0.0),  # the baseline counts before a date
        (f"{PRODUCT}_HARMONIZED.tif", 0.0),
    ],
)
def test_a_baseline_in_the_name_decides(tmp_path, place, offset):
    raster = opened(stack(tmp_path / place))
    assert raster.offset == pytest.approx([offset] * 12)
    assert any(f"offset {offset:g} from" in fact for fact in raster.facts)
    assert not is_noted(raster)


@pytest.mark.parametrize("suffix", [".tif", ".jp2"])
@pytest.mark.parametrize(
    ("day", "folder", "offset"),
    [("20220301", "bands", -0.1), ("20220124", "bands", 0.0), ("20190124", PRODUCT, -0.1), ("20240601", OLD, 0.0)],
)
def test_names_of_esas_images_decide_by_their_day(tmp_path, suffix, day, folder, offset):
    how = {"driver": "JP2OpenJPEG", "QUALITY": "100", "REVERSIBLE": "YES"} if suffix == ".jp2" else {}
    for band in ("B02", "B03", "B8A"):
        single(tmp_path / folder, f"T32UQD_{day}T101021_{band}{suffix}", "", names=None, **how)
    raster = opened(tmp_path / folder)
    assert raster.offset == pytest.approx([offset] * 3)
    assert not is_noted(raster)
    alone = opened(tmp_path / folder / f"T32UQD_{day}T101021_B02{suffix}")
    assert alone.offset == pytest.approx([offset])


@pytest.mark.parametrize(
    ("name", "day", "noted"),
    [
        ("scene_2022-01-25.tif", None, True),
        ("scene_2022-01-24.tif", None, False),
        ("20230815T101031_20230815T101026_T32UQD.tif", None, True),  # Google Earth Engine's
        ("scene.tif", "2024-05-01", True),
        ("scene.tif", None, False),
        ("S2_SR_HARMONIZED_2023-05-01.tif", None, False),
    ],
)
def test_a_date_alone_is_noted_and_decides_nothing(tmp_path, name, day, noted):
    path = stack(tmp_path / name)
    raster = opened(Path(f"{path}@{day}") if day else path)
    assert raster.offset == (0.0,) * 12
    assert is_noted(raster) is noted
    assert sum("+1000" in warning for warning in raster.warnings) == noted


def test_a_date_in_a_tag_is_noted_whatever_the_pixels_are(tmp_path):
    path = write(
        tmp_path / "dark.tif", land(16, 16, bands=12) // 20, names=L2A, tags={"SENSING_TIME": "2022-08-12T10:00:00Z"}
    )
    assert is_noted(opened(path))


def test_the_advice_of_the_note_works(tmp_path):
    path = stack(tmp_path / "scene_2022-06-25.tif")
    own = tmp_path / "mine.toml"
    (note,) = [each for each in opened(path).warnings if "may include" in each]
    own.write_text("\n".join(re.findall(r"`(\w+ = [^`]+)`", note)))
    raster = opened(path, bands=str(own))
    assert raster.offset == pytest.approx([-0.1] * 12)
    assert not is_noted(raster)


@pytest.mark.parametrize(("names", "bands"), [(L2A, None), (L1C, None), (L2A[1:4], "s2-l2a:B02,B03,B04")])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_floats_of_a_late_date_that_may_include_it_are_noted(tmp_path, names, bands, dtype):
    how = {} if bands is None else {"bands": bands}
    dark = np.clip(land(40, 44, bands=len(names)) / 2e4 - 0.03, 0.001, 1).astype(dtype)
    lifted = write(tmp_path / "f_2023-05-01.tif", dark + np.array(0.1, dtype), names=names)
    assert opened(lifted, **how).offset == (0.0,) * len(names)
    assert is_noted(opened(lifted, **how))
    assert not is_noted(opened(write(tmp_path / "f_2022-01-24.tif", dark + np.array(0.1, dtype), names=names), **how))
    assert not is_noted(opened(write(tmp_path / "g_2023-05-01.tif", dark, names=names), **how))


def test_the_advice_of_the_note_on_floats_works(tmp_path):
    values = np.clip(land(40, 44, bands=12) / 2e4 - 0.03, 0.001, 1).astype("float32") + np.float32(0.1)
    path = write(tmp_path / "f_2023-05-01.tif", values, names=L2A)
    (note,) = [each for each in opened(path).warnings if "may include" in each]
    line = re.search(r"`python -c \"([^`]+)\"`", note)[1].replace("'FILE'", repr(str(path)))
    subprocess.run([sys.executable, "-c", line], check=True)
    raster = opened(path)
    assert raster.offset == pytest.approx([-0.1] * 12)
    assert not is_noted(raster)


def test_what_reflectance_may_include():
    assert may_be_left_in(np.linspace(0.1, 0.9, 100))
    assert may_be_left_in(np.r_[np.full(4, 0.05), np.full(96, 0.3)]), "after it was taken away, a few are below 0"
    assert not may_be_left_in(np.r_[np.full(6, 0.05), np.full(94, 0.3)])
    assert not may_be_left_in(np.array([]))


@pytest.mark.parametrize("kind", ["reflectance", "hls", "landsat", "declared"])
def test_no_offset_and_no_note_where_it_does_not_apply(tmp_path, kind):
    name, tags = f"{PRODUCT}.tif", {"BOA_ADD_OFFSET": "-1000"}
    if kind == "reflectance":
        values, how = land(16, 16, bands=12).astype(np.float32) / 1e4, {}
    else:
        values, how = land(16, 16, bands=12), {"hls": {}, "landsat": {}, "declared": {"scales": [2e-4] * 12}}[kind]
    bands = {"hls": "hls-s30", "landsat": "landsat8-toa:B2,B3,B4"}.get(kind)
    names = L2A
    if kind == "landsat":
        values, names = values[:3], ["B2", "B3", "B4"]
    raster = opened(
        write(tmp_path / name, values, names=names, tags=tags, **how), **({"bands": bands} if bands else {})
    )
    assert set(raster.offset) == {0.0}
    assert not is_noted(raster)
    if kind == "declared":
        assert any("1000 was added by the tag BOA_ADD_OFFSET" in warning for warning in raster.warnings)


def test_a_vrt_inherits_it_from_its_sources(tmp_path):
    for band in ("B02", "B03"):
        single(tmp_path, f"T32UQD_20220301T101021_{band}.tif", band)
    bands = "".join(
        f'<VRTRasterBand dataType="UInt16" band="{index}"><Description>{band}</Description><SimpleSource>'
        f'<SourceFilename relativeToVRT="1">T32UQD_20220301T101021_{band}.tif</SourceFilename>'
        "<SourceBand>1</SourceBand>"
        '<SrcRect xOff="0" yOff="0" xSize="16" ySize="16"/><DstRect xOff="0" yOff="0" xSize="16" ySize="16"/>'
        "</SimpleSource></VRTRasterBand>"
        for index, band in enumerate(("B02", "B03"), 1)
    )
    path = tmp_path / "stack.vrt"
    path.write_text(f'<VRTDataset rasterXSize="16" rasterYSize="16">{bands}</VRTDataset>')
    assert opened(path).offset == pytest.approx([-0.1, -0.1])


def item(folder: Path, files: dict[str, str], **properties: object) -> Path:
    assets = {
        key: {"href": f"https://example.org/{name}", "type": "image/tiff; application=geotiff"}
        for key, name in files.items()
    }
    described = {
        "type": "Feature",
        "stac_version": "1.0.0",
        "id": "S2A_32UQD_20220301_0_L2A",
        "collection": "sentinel-2-l2a",
        "properties": {"datetime": "2022-03-01T10:10:21Z", **properties},
        "assets": assets,
    }
    folder.mkdir(exist_ok=True)
    (folder / "item.json").write_text(json.dumps(described))
    return folder


BANDS = ("B02", "B03", "B04")


@pytest.mark.parametrize(
    ("properties", "offset"),
    [
        ({"s2:processing_baseline": "04.00"}, -0.1),
        ({"s2:processing_baseline": "05.10", "earthsearch:boa_offset_applied": True}, 0.0),
        ({"s2:processing_baseline": "03.01"}, 0.0),
        ({"s2:product_uri": f"{PRODUCT}.SAFE"}, -0.1),
    ],
)
@pytest.mark.parametrize("by", ["file", "band"])
def test_an_item_beside_the_files_of_a_folder_decides(tmp_path, properties, offset, by):
    for band in BANDS:
        single(tmp_path / "scene", f"{band}.tif", band)
    files = {band: f"{band}.tif" if by == "file" else f"elsewhere_{band}_10m.tif" for band in BANDS}
    raster = opened(item(tmp_path / "scene", files, **properties))
    assert raster.offset == pytest.approx([offset] * 3)
    assert raster.dates == ("2022-03-01",)
    assert any("completed by item.json" in fact for fact in raster.facts)
    assert not is_noted(raster)


def test_an_item_counts_for_a_band_that_it_does_not_list(tmp_path):
    for band in BANDS:
        single(tmp_path / "scene", f"{band}.tif", band)
    raster = opened(item(tmp_path / "scene", {"B02": "B02.tif"}, **{"s2:processing_baseline": "04.00"}))
    assert raster.offset == pytest.approx([-0.1] * 3)


@pytest.mark.parametrize("kind", ["of other files", "broken", "two"])
def test_other_items_in_a_folder_are_left_out_with_a_note(tmp_path, kind):
    folder = tmp_path / "scene"
    for band in BANDS:
        single(folder, f"{band}.tif", band)
    item(folder, {"B11": "B11.tif"} if kind == "of other files" else {b: f"{b}.tif" for b in BANDS})
    if kind == "broken":
        (folder / "item.json").write_text('{"stac_version": "1.0.0", ')
    if kind == "two":
        (folder / "other.json").write_text((folder / "item.json").read_text())
    raster = opened(folder)
    assert raster.offset == (0.0,) * 3
    assert any("left out item.json" in warning for warning in raster.warnings)


@pytest.mark.parametrize(
    ("path", "number"),
    [
        ("a/T32UQD_20220301T101021_B02_10m.jp2", 1000),
        ("a/T32UQD_20220124T101021_B02_10m.jp2", None),
        ("a/T32UQD_20220301T101021_TCI.jp2", None),
        ("dem_N0450_E010.tif", None),
        (f"/data/{PRODUCT}.SAFE/GRANULE/L2A_T32UQD/IMG_DATA/R10m/B02.jp2", 1000),
        ("S2A_MSIL2A_20220301T101021_N9999_R022_T32UQD.tif", None),
        ("not_harmonized/T32UQD_20220301T101021_B02.tif", 1000),
    ],
)
def test_what_names_say(path, number):
    found = added_in_name(path)
    assert (None if found is None else found.number) == number


def test_what_tags_say():
    assert added_in_tags({}, {}, None) is None
    assert added_in_tags({"radio_add_offset": "-1000"}, {}, None) == Added(1000.0, "the tag radio_add_offset")
    assert added_in_tags({"BOA_ADD_OFFSET": "-1000"}, {"BOA_ADD_OFFSET": "0"}, None).offset(1e-4) == 0
    assert added_in_tags({"PRODUCT_URI": f"{PRODUCT}.SAFE"}, {}, None).offset(1e-4) == pytest.approx(-0.1)
