"""Codes in masks, what they are called, and where they lie."""

import numpy as np
import pytest
import rasterio
from affine import Affine
from made_rasters import PLACE, UTM

from made_labels import beside, mask, moved, table, with_palette, write
from spectralgpt.data.labels.class_list import ClassList, in_natural_order, read_class_list
from spectralgpt.data.labels.codes import StoredMask, lies_on, nodata_of, on_grid, read_mask
from spectralgpt.data.labels.legend import read_legend
from spectralgpt.errors import OptionError, RasterError
from spectralgpt.raster import Grid
from spectralgpt.tasks import Class

CODES = np.array([[10, 20, 300000], [255, 10, -7]])


def test_codes_become_indices_and_all_others_are_ignored():
    stored = StoredMask.in_memory(CODES)
    assert stored.indices((10, 20, 300000)).tolist() == [[0, 1, 2], [-1, 0, -1]]
    assert stored.indices((300000, 10)).tolist() == [[1, -1, 0], [-1, 1, -1]]
    assert stored.indices(()).tolist() == [[-1] * 3] * 2
    assert stored.counts() == {-7: 1, 10: 2, 20: 1, 255: 1, 300000: 1}


@pytest.mark.parametrize("dtype", ["uint8", "int16", "int32", "float32", "float64"])
def test_masks_of_any_type_of_whole_numbers_are_read(tmp_path, dtype):
    path = mask(tmp_path / "mask.tif", (3, 7, 112), dtype=dtype, nodata=7)
    stored = read_mask(str(path))
    assert stored.indices((3, 7, 112))[0, :6].tolist() == [0, 0, -1, -1, 2, 2]
    assert set(stored.counts()) == {3, 112}


def test_missing_values_of_float_masks_are_not_labelled(tmp_path):
    values = np.array([[[1, np.nan], [2, 1]]], np.float32)
    stored = read_mask(str(write(tmp_path / "mask.tif", values)))
    assert stored.counts() == {1: 2, 2: 1}
    assert stored.indices((1, 2)).tolist() == [[0, -1], [1, 0]]


def test_masks_that_are_none_are_refused(tmp_path):
    with pytest.raises(RasterError, match=r"half.tif: found 0.5 in a mask; expected whole numbers"):
        read_mask(str(write(tmp_path / "half.tif", np.full((1, 4, 4), 0.5, np.float32))))
    with pytest.raises(RasterError, match=r"rgb.tif: found 3 bands; expected a mask with one band"):
        read_mask(str(write(tmp_path / "rgb.tif", np.zeros((3, 4, 4), np.uint8))))


@pytest.mark.filterwarnings("ignore")
def test_complex_numbers_are_no_mask(tmp_path):
    for dtype in ("complex64", "complex_int16"):
        path = tmp_path / f"{dtype}.tif"
        with rasterio.open(
            path, "w", driver="GTiff", width=4, height=4, count=1, dtype=dtype, crs=UTM, transform=PLACE
        ):
            pass
        with pytest.raises(RasterError, match="found a mask of complex64"):
            read_mask(str(path))


def test_a_jpeg_is_no_mask(tmp_path):
    path = write(tmp_path / "mask.jpg", np.zeros((1, 8, 8), np.uint8), driver="JPEG", crs=None, transform=None)
    with pytest.raises(RasterError, match=r"mask.jpg: found a JPEG.*compression changes codes"):
        read_mask(str(path))


def test_a_mask_lies_on_its_image_or_not():
    def grid(transform=PLACE, crs=UTM, height=6):
        from rasterio.crs import CRS

        return Grid(CRS.from_user_input(crs).to_wkt() if crs else None, transform, height, 5)

    image = grid()
    assert lies_on(image, image)
    assert lies_on(grid(moved(0.05)), image)
    assert lies_on(grid(Affine.identity(), None), image), "a mask without a place has its image's"
    assert not lies_on(grid(moved(0.5)), image)
    assert not lies_on(grid(crs="EPSG:32633"), image)
    assert not lies_on(grid(height=7), image)


def test_a_mask_on_a_coarser_grid_has_the_code_at_each_centre():
    own = Grid(None, Affine(10, 0, 100, 0, -10, 500), 6, 6)
    indices = np.arange(36, dtype=np.int16).reshape(6, 6)
    coarse = Grid(None, Affine(30, 0, 100, 0, -30, 500), 2, 3)
    assert on_grid(indices, own, own) is indices
    assert on_grid(indices, own, coarse).tolist() == [[7, 10, -1], [25, 28, -1]]


def test_a_palette_gives_colours(tmp_path):
    path = mask(tmp_path / "mask.tif", (1, 10))
    assert not read_legend(str(path))
    with_palette(path, {1: (255, 0, 0), 10: (0, 128, 255)})
    legend = read_legend(str(path))
    assert (legend.colours[1], legend.colours[10]) == ("#ff0000", "#0080ff")
    assert not legend.names


def test_category_names_and_attribute_tables_give_names(tmp_path):
    names = mask(tmp_path / "names.tif", (1, 2))
    beside(names, "<CategoryNames><Category/><Category>sea</Category><Category>land</Category></CategoryNames>")
    assert read_legend(str(names)).names == {1: "sea", 2: "land"}
    fields = (("Value", 5), ("Class_Name", 0), ("Red", 6), ("Green", 7), ("Blue", 8))
    defined = "".join(
        f"<FieldDefn><Name>{name}</Name><Type>{'2' if usage == 0 else '0'}</Type><Usage>{usage}</Usage></FieldDefn>"
        for name, usage in fields
    )
    rows = (("111", "Tree &amp; bush", "1", "2", "255"), ("30", "", "0", "0", "0"))
    cells = ["".join(f"<F>{cell}</F>" for cell in row) for row in rows]
    lines = "".join(f'<Row index="{at}">{row}</Row>' for at, row in enumerate(cells))
    listed = mask(tmp_path / "table.tif", (30, 111))
    beside(listed, f'<GDALRasterAttributeTable tableType="thematic">{defined}{lines}</GDALRasterAttributeTable>')
    legend = read_legend(str(listed))
    assert legend.names == {111: "Tree & bush"}
    assert legend.colours == {111: "#0102ff", 30: "#000000"}


def test_a_toml_file_names_and_colours_classes(tmp_path):
    text = '[classes]\n20 = {name = "wood", colour = "#00ff00"}\n3 = "water"\n100 = "#123456"\n'
    given = read_class_list(str(table(tmp_path / "codes.toml", text)))
    assert given.codes == (3, 20, 100)
    assert given.classes == (Class("water"), Class("wood", "#00ff00"), Class("100", "#123456"))
    text = '[classes]\nForest = "#00ff00"\nSea = {name = "Sea or lake"}\n'
    given = read_class_list(str(table(tmp_path / "labels.toml", text)))
    assert (given.labels, given.codes) == (("Forest", "Sea"), ())
    assert given.classes == (Class("Forest", "#00ff00"), Class("Sea or lake"))
    assert read_class_list("water, forest") == ClassList((Class("water"), Class("forest")))
    assert read_class_list(given) is given


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", r"found nothing; expected one table \[classes\]"),
        ("[classes]\n", r"found classes; expected one table"),
        ("[classes]\n1 = 5\n", "class 1"),
        ('[classes]\n1 = {colour = "red"}\n', "class 1: .*'red'; expected one like #1f77b4"),
        ('[classes]\n1 = {nmae = "red"}\n', "class 1: nmae: unknown name"),
        ("[classes\n", "is not TOML"),
    ],
)
def test_a_wrong_toml_file_is_refused(tmp_path, text, words):
    with pytest.raises(OptionError, match=words):
        read_class_list(str(table(tmp_path / "wrong.toml", text)))


def test_wrong_names_are_refused():
    for names in ("", "a,b,a"):
        with pytest.raises(OptionError, match="expected different names"):
            read_class_list(names)
    with pytest.raises(OptionError, match="cannot be read"):
        read_class_list("none.toml")


def test_labels_are_in_natural_order():
    assert in_natural_order(["10", "9", "10", "-1"]) == ["-1", "9", "10"]
    assert in_natural_order(["10", "9", "a"]) == ["10", "9", "a"]


def absurd_header(path):
    """A mask of 16 rows and columns that claims 2,000,000 of each, in strips as they would be."""
    content = bytearray(mask(path).read_bytes())
    start = int.from_bytes(content[4:8], "little")
    for entry in range(int.from_bytes(content[start : start + 2], "little")):
        at = start + 2 + 12 * entry
        if int.from_bytes(content[at : at + 2], "little") in (256, 257, 278):  # width, height, rows per strip
            content[at + 2 : at + 4] = (4).to_bytes(2, "little")
            content[at + 8 : at + 12] = (2_000_000).to_bytes(4, "little")
    path.write_bytes(content)
    return path


def vrt_of_size(path, source, side):
    path.write_text(
        f'<VRTDataset rasterXSize="{side}" rasterYSize="{side}"><VRTRasterBand dataType="Byte" band="1"><SimpleSource>'
        f'<SourceFilename relativeToVRT="1">{source.name}</SourceFilename><SourceBand>1</SourceBand></SimpleSource>'
        "</VRTRasterBand></VRTDataset>"
    )
    return path


def test_a_mask_of_an_absurd_size_is_refused_before_memory_is_taken(tmp_path):
    absurd = absurd_header(tmp_path / "absurd.tif")
    vrt = vrt_of_size(tmp_path / "mask.vrt", mask(tmp_path / "small.tif"), 2_000_000)
    nested = vrt_of_size(tmp_path / "nested.tif", vrt, 2_000_000)
    missing = vrt_of_size(tmp_path / "missing.vrt", tmp_path / "nowhere.tif", 2_000_000)
    for path in (absurd, vrt, nested, missing):
        for read in (read_mask, nodata_of):
            with pytest.raises(
                RasterError, match=r"found a header of 1 bands of 2000000 x 2000000 pixels, 4e\+12 bytes"
            ):
                read(str(path))


def test_a_mask_that_is_a_vrt_is_read(tmp_path):
    whole = mask(tmp_path / "mask.tif", (1, 2), rows=400, columns=400)
    vrt = vrt_of_size(tmp_path / "mask.vrt", vrt_of_size(tmp_path / "inner.tif", whole, 400), 400)
    assert read_mask(str(vrt)).counts() == read_mask(str(whole)).counts()
