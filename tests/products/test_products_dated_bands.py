"""Dates in the names of a file's bands, images of one day, and dates that cannot be."""

import numpy as np
import pytest
from affine import Affine
from made_rasters import PLACE, write

from spectralgpt.days import day_of
from spectralgpt.errors import RasterError
from spectralgpt.products import open_raster
from spectralgpt.products.dated_bands import products_by_date
from spectralgpt.products.product import Product, StoredBand
from spectralgpt.raster import Grid, Window

GRID = Grid(None, PLACE, 5, 6)


def values(bands):
    """Every band, row and column differs."""
    band, row, column = np.indices((bands, 5, 6))
    return (1000 + 100 * band + 10 * row + column).astype("uint16")


DATED = {
    "time first": ["B02_20200101", "B03_20200101", "B02_20200601", "B03_20200601"],
    "band first": ["B02_20200101", "B02_20200601", "B03_20200101", "B03_20200601"],
    "date before the band": ["20200601_B02", "20200101_B02", "20200601_B03", "20200101_B03"],
    "dashes": ["B02_2020-01-01", "B02_2020-06-01", "B03_2020-01-01", "B03_2020-06-01"],
    "our own results": ["B02, 2020-01-01", "B03, 2020-01-01", "B02, 2020-06-01", "B03, 2020-06-01"],
    "day of the year": ["B02_2020001", "B03_2020001", "B02_2020153", "B03_2020153"],
    "Earth Engine": [
        f"{day}T102031_{day}T102055_T32UQD_{band}" for day in ("20200101", "20200601") for band in ("B2", "B3")
    ],
    "spans": ["B02_20191231_20200102", "B03_20191231_20200102", "B02_20200531_20200602", "B03_20200531_20200602"],
}


@pytest.mark.parametrize("names", DATED.values(), ids=DATED)
@pytest.mark.parametrize("suffix", [".tif", ".vrt", ".dat"])
def test_a_file_of_several_dates(tmp_path, names, suffix):
    if suffix == ".dat" and "," in names[0]:
        pytest.skip("ENVI separates names by commas")
    path = written(tmp_path / f"stack{suffix}", values(4), names)
    with open_raster(path, bands="s2-l2a") as raster:
        assert raster.dates == ("2020-01-01", "2020-06-01")
        assert [band.name for band in raster.bands] == ["B2", "B3"]
        read = raster.read().values
    for date, day in enumerate(("2020-01-01", "2020-06-01")):
        for band, name in enumerate(("2", "3")):
            index = next(i for i, written_name in enumerate(names) if is_of(written_name, name, day))
            assert np.array_equal(read[date, band], values(4)[index])


def is_of(name, band, day):
    """Whether a name is that of a band, like 2, on a day."""
    of_year = {"2020-01-01": "2020001", "2020-06-01": "2020153"}[day]
    middle = {"2020-01-01": "20191231_", "2020-06-01": "20200531_"}[day]
    dated = any(each in name for each in (day, day.replace("-", ""), of_year, middle))
    return dated and (f"B0{band}" in name or name.endswith(f"_B{band}"))


def written(path, array, names):
    """The array as a GeoTIFF, as a VRT of one, or as an ENVI file."""
    if path.suffix == ".tif":
        return write(path, array, names=names)
    if path.suffix == ".dat":
        write(path, array, names=names, driver="ENVI", nodata=None, crs=None, transform=Affine.identity())
        return path
    tif = write(path.with_suffix(".tif"), array, names=names)
    rows, columns = array.shape[1:]
    bands = "".join(
        f'<VRTRasterBand dataType="UInt16" band="{i}"><Description>{name}</Description><SimpleSource>'
        f'<SourceFilename relativeToVRT="1">{tif.name}</SourceFilename><SourceBand>{i}</SourceBand>'
        f'<SrcRect xOff="0" yOff="0" xSize="{columns}" ySize="{rows}"/>'
        f'<DstRect xOff="0" yOff="0" xSize="{columns}" ySize="{rows}"/></SimpleSource></VRTRasterBand>'
        for i, name in enumerate(names, 1)
    )
    path.write_text(f'<VRTDataset rasterXSize="{columns}" rasterYSize="{rows}">{bands}</VRTDataset>')
    return path


@pytest.mark.parametrize(
    ("names", "first"),
    [
        (["B02_1", "B02_2", "B03_1", "B03_2"], (0, 2)),
        (["B02_1", "B03_1", "B02_2", "B03_2"], (0, 1)),
        (["0_B2", "0_B3", "1_B2", "1_B3"], (0, 1)),
        (["B02, date 1", "B03, date 1", "B02, date 2", "B03, date 2"], (0, 1)),
        (["red_2", "red_1", "nir_2", "nir_1"], (1, 3)),
    ],
)
def test_counted_dates_are_read_in_order_without_days(tmp_path, names, first):
    path = write(tmp_path / "stack_20200101.tif", values(4), names=names)
    with open_raster(path, bands="s2-l2a") as raster:
        assert raster.dates == ("", "")
        assert raster.read().days.tolist() == [-1, -1]
        assert np.array_equal(raster.read().values[0], values(4)[list(first)])
        (note,) = raster.warnings
    assert note.startswith(f"{path}: the names of its bands count 2 dates (")
    assert "days are unknown" in note


@pytest.mark.parametrize(
    "names",
    [
        ["SWIR_1", "SWIR_2"],  # no count: names of two bands
        ["B02_10", "B02_20", "B03_10", "B03_20"],  # GSD in metres
        ["Band_1", "Band_2", "Band_3", "Band_4"],
        ["B02_1", "B03_1"],
        ["B02_1", "B02_2", "B03_1"],
    ],
)
def test_other_numbers_are_no_dates(names):
    bands = tuple(StoredBand("a.tif", i, name, GRID, "uint16", None, None, None) for i, name in enumerate(names, 1))
    product = Product(bands)
    assert products_by_date("a.tif", product) == (product,)


def test_chosen_dates_and_bands_of_one_file(tmp_path):
    path = write(tmp_path / "stack.tif", values(4), names=DATED["time first"])
    with open_raster(path, bands="B03", dates="2020-06-01") as raster:
        assert (raster.dates, raster.shape) == (("2020-06-01",), (1, 1, 5, 6))
        assert np.array_equal(raster.read(Window(1, 2, 3, 3)).values[0, 0], values(4)[3, 1:4, 2:5])
    later = write(tmp_path / "later_20210101.tif", values(2), names=["B02", "B03"])
    with open_raster([later, path]) as raster:
        assert raster.dates == ("2020-01-01", "2020-06-01", "2021-01-01")


@pytest.mark.parametrize(
    ("names", "says"),
    [
        (["B02_20200101", "B02_20200601", "B03_20200101", "B03"], "without a date .B03. among bands with one"),
        (["B02_20200101", "B02_20200601", "B03_20200101", "B04_20200601"], "other bands than in .*stack.tif, 2020-01"),
        (["B02_20200101", "20200101_B02", "B03_20200101", "B03_20200601"], "B02 of 2020-01-01 more than once"),
        (["B02_20500101", "B03_20500101", "B04_20500101", "B08_20500101"], "2050-01-01, which lies in the future"),
        (["B02_20100101", "B03_20100101", "B04_20100101", "B08_20100101"], "2010-01-01, which is before the launch"),
    ],
)
def test_dates_in_a_file_that_cannot_be(tmp_path, names, says):
    path = write(tmp_path / "stack.tif", values(4), names=names)
    with pytest.raises(RasterError, match=says):
        open_raster(path, bands="s2-l2a")


IMPOSSIBLE = {
    "no 30th of February": ["B02_20200101", "B03_20200101", "B02_20200230", "B03_20200230"],
    "no 13th month, before the band": ["20200101_B02", "20200101_B03", "20201301_B02", "20201301_B03"],
    "no day 367": ["B02_2020001", "B03_2020001", "B02_2020367", "B03_2020367"],
    "our own results": ["B02, 2020-01-01", "B03, 2020-01-01", "B02, 2020-06-31", "B03, 2020-06-31"],
    "Earth Engine": [
        f"{day}T102031_{day}T102055_T32UQD_{band}" for day in ("20200101", "20201232") for band in ("B2", "B3")
    ],
    "the end of a span": ["B02_20200101", "B03_20200101", "B02_20200601_20200631", "B03_20200601_20200631"],
    "in the future": ["B02_20200101", "B03_20200101", "B02_20500101", "B03_20500101"],
    "a day of a year in the future": ["B02_2020001", "B03_2020001", "B02_2050001", "B03_2050001"],
    "before the launch": ["B02_20200101", "B03_20200101", "B02_20100101", "B03_20100101"],
    "one band alone": ["B02_20200101", "B03_20200101", "B04_20200230"],
}


@pytest.mark.parametrize("names", IMPOSSIBLE.values(), ids=IMPOSSIBLE)
@pytest.mark.parametrize("suffix", [".tif", ".vrt"])
def test_impossible_dates_among_others_are_refused_and_the_advice_works(tmp_path, names, suffix):
    path = written(tmp_path / f"stack{suffix}", values(len(names)), names)
    with pytest.raises(RasterError, match=f"^{path}: found ") as error:
        open_raster(path, bands="s2-l2a")
    ((name, value),) = error.value.advice
    with open_raster(path, bands="s2-l2a", **{name: value}) as raster:
        assert raster.dates == ("2020-01-01",)
        assert np.array_equal(raster.read().values[0], values(4)[:2])


def test_the_message_names_the_bands_and_the_date(tmp_path):
    path = write(tmp_path / "stack.tif", values(4), names=IMPOSSIBLE["no 30th of February"])
    with pytest.raises(RasterError) as error:
        open_raster(path, bands="s2-l2a")
    assert str(error.value) == (
        f"{path}: found 20200230, which is no date, in the names of its bands (B02_20200230, B03_20200230); expected "
        "days of the calendar until today. Choose the other dates: dates='2020-01-01'"
    )


def test_advice_holds_the_dates_of_all_sources(tmp_path):
    stack = write(tmp_path / "stack.tif", values(4), names=IMPOSSIBLE["in the future"])
    later = write(tmp_path / "later_20210101.tif", values(2), names=["B02", "B03"])
    with pytest.raises(RasterError, match="2050-01-01, which lies in the future") as error:
        open_raster([stack, later], bands="s2-l2a")
    assert error.value.advice == (("dates", "2020-01-01,2021-01-01"),)
    with open_raster([stack, later], bands="s2-l2a", dates="2020-01-01,2021-01-01") as raster:
        assert raster.dates == ("2020-01-01", "2021-01-01")


@pytest.mark.parametrize("choice", ["B02,B03", "s2-l2a:B3", "blue=B02,B03"])
def test_bands_with_possible_dates_can_be_chosen(tmp_path, choice):
    path = write(tmp_path / "stack.tif", values(3), names=IMPOSSIBLE["one band alone"])
    with open_raster(path, bands=choice) as raster:
        assert raster.dates == ("2020-01-01",)
    with pytest.raises(RasterError, match="found 20200230, which is no date"):
        open_raster(path, bands="B02,B04")


@pytest.mark.parametrize("date", ["20200230", "2020-13-01", "2020367"])
def test_the_only_date_of_a_file_is_impossible(tmp_path, date):
    path = write(tmp_path / "stack.tif", values(2), names=[f"B02_{date}", f"B03_{date}"])
    with pytest.raises(RasterError, match=f"found {date}, which is no date.*Give its date, like {path}@2020-05-01"):
        open_raster(path, bands="s2-l2a")
    with open_raster(f"{path}@2020-05-01", bands="s2-l2a") as raster:
        assert raster.dates == ("2020-05-01",)
        assert [band.name for band in raster.bands] == ["B2", "B3"]


def test_numbers_beside_other_names_are_no_dates(tmp_path):
    path = write(tmp_path / "stack.tif", values(3), names=["B02", "B03", "height_20209999"])
    with open_raster(path, bands="s2-l2a:B02,B03") as raster:
        assert raster.dates == ("",)


def test_a_file_of_several_dates_takes_no_date(tmp_path):
    path = write(tmp_path / "stack.tif", values(4), names=DATED["time first"])
    with pytest.raises(RasterError, match="found one date for a file of 2"):
        open_raster(f"{path}@2020-05-01")


def test_what_is_no_band_is_left_out(tmp_path):
    path = write(tmp_path / "stack.tif", values(3), names=["B02_20200101", "height", "B02_20200601"])
    with open_raster(path, bands="s2-l2a") as raster:
        assert raster.shape[:2] == (2, 1)
        assert raster.warnings == (f"{path}: left out height, without a date among bands with one",)


HALVES = [("uint16", 0), ("int16", -9999), ("float32", float("nan"))]


@pytest.mark.parametrize(("dtype", "nodata"), HALVES)
def test_two_half_filled_images_of_one_day_are_one(tmp_path, dtype, nodata):
    whole = values(2).astype(dtype)
    left, right = whole.copy(), whole + np.asarray(1000, dtype)
    left[:, :, 4:], right[:, :, :3] = nodata, nodata
    left[1, 0, 0] = nodata
    files = [
        write(tmp_path / f"{name}_20200501.tif", half, names=["B02", "B03"], nodata=nodata)
        for name, half in (("a", left), ("b", right))
    ]
    with open_raster(files, bands="s2-l2a") as raster:
        assert raster.dates == ("2020-05-01",)
        read = raster.read()
        part = raster.read(Window(2, 3, 2, 3))
        assert set(raster.paths) == set(map(str, files))
        assert sum("pixels of the first where they are valid" in note for note in raster.warnings) == 1
    assert read.valid is not None
    assert np.argwhere(~read.valid[0]).tolist() == [[1, 0, 0]]
    assert np.array_equal(read.values[0, :, 1:, :4], whole[:, 1:, :4])
    assert np.array_equal(read.values[0, :, :, 4:], right[:, :, 4:])
    assert np.array_equal(part.values[0], read.values[0, :, 2:4, 3:6])
    with open_raster(files[::-1], bands="s2-l2a") as raster:
        assert np.array_equal(raster.read().values[0, :, :, 3:], right[:, :, 3:]), "the first given wins"


def test_halves_of_other_units_become_reflectance(tmp_path):
    one, two = values(2), values(2)
    one[:, :2], two[:, 2:] = 0, 0
    files = [
        write(tmp_path / "a_20200501.tif", one, names=["B02", "B03"], nodata=0, scales=(1e-4,) * 2, offsets=(0.0,) * 2),
        write(
            tmp_path / "b_20200501.tif", two, names=["B02", "B03"], nodata=0, scales=(1e-4,) * 2, offsets=(-0.1,) * 2
        ),
    ]
    with open_raster(files, bands="s2-l2a") as raster:
        read = raster.read()
    assert read.valid is None or read.valid.all()
    expected = values(2) * 1e-4
    expected[:, :2] -= 0.1
    assert np.allclose(read.reflectance()[0], expected, atol=1e-6)


def test_one_file_twice_is_refused(tmp_path):
    path = write(tmp_path / "a_20200501.tif", values(2), names=["B02", "B03"])
    with pytest.raises(RasterError, match="more than once"):
        open_raster([path, path], bands="s2-l2a")


@pytest.mark.parametrize(
    ("source", "choice", "says"),
    [
        ("scene.tif@2050-01-01", "s2-l2a", "lies in the future; expected a date from 2015-06-23 to today"),
        ("scene_2050-01-01.tif", "s2-l2a", "lies in the future"),
        ("scene.tif@2015-06-22", "s2-l1c", "before the launch of s2-l1c .2015-06-23."),
        ("scene_20130210.tif", "landsat8-c2l2", "before the launch of landsat8-c2l2 .2013-02-11."),
        ("scene_1999001.tif", "landsat7-c2l2", "before the launch of landsat7-c2l2 .1999-04-15."),
    ],
)
def test_impossible_dates_are_refused(tmp_path, source, choice, says):
    name = source.partition("@")[0]
    write(tmp_path / name, values(2), names=["B2", "B3"])
    with pytest.raises(RasterError, match=says):
        open_raster(str(tmp_path / source), bands=choice)


@pytest.mark.parametrize(
    ("source", "choice", "date"),
    [
        ("scene.tif@2015-06-23", "s2-l1c", "2015-06-23"),
        ("scene_2050-01-01.tif@2020-01-01", "s2-l1c", "2020-01-01"),  # the user knows better than the name
        ("scene_19820716.tif", "landsat5-c2l2", "1982-07-16"),
        ("20991231_scene_20200501.tif", "s2-l2a", "2020-05-01"),
    ],
)
def test_possible_dates_are_taken(tmp_path, source, choice, date):
    write(tmp_path / source.partition("@")[0], values(2), names=["B2", "B3"])
    with open_raster(str(tmp_path / source), bands=choice) as raster:
        assert raster.dates == (date,)


@pytest.mark.parametrize(
    "stamp",
    [
        "2020-01-01T10:10:10_{}",
        "2020-01-01T10:10:10Z_{}",
        "2020-01-01 10:10 {}",
        "{}_2020-01-01T10:10:10.123Z",
        "20200101T101010_{}",
        "{}_10m_2020-01-01",
    ],
)
def test_a_time_stamp_is_a_date(tmp_path, stamp):
    names = [stamp.format(band) for band in ("B02", "B8A")]
    with open_raster(write(tmp_path / "stack.tif", values(2), names=names)) as raster:
        assert [band.name for band in raster.bands] == ["B2", "B8A"]
        assert raster.days == (day_of("2020-01-01", ""),)


@pytest.mark.parametrize("name", ["t{}_{}", "T_{}_{}", "date{}_{}", "time_{} {}"])
@pytest.mark.parametrize("first", [0, 1])
def test_prefixes_that_count_dates(tmp_path, name, first):
    names = [name.format(when, band) for when in (first, first + 1) for band in ("B02", "B8A")]
    with open_raster(write(tmp_path / "stack.tif", values(4), names=names)) as raster:
        assert raster.days == (-1, -1)
        assert [band.name for band in raster.bands] == ["B2", "B8A"]


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("{}_202001", "month"),
        ("{}_2019", "year"),
        ("2019_{}", "year"),
        ("{}_2020-01", "month"),
        ("202012_{}", "month"),
    ],
)
def test_a_month_or_year_in_names_of_bands_is_no_date(tmp_path, name, kind):
    names = [name.format(band) for band in ("B02", "B8A")]
    with open_raster(write(tmp_path / "stack.tif", values(2), names=names)) as raster:
        assert raster.days == (-1,)
        assert [band.name for band in raster.bands] == ["B2", "B8A"]
        assert sum(f"is a {kind} and no date" in note for note in raster.warnings) == 1


MIXED = [
    (["B02_20200101", "B03_20200101", "B8A"], {"bands": "B8A"}, {"dates": "2020-01-01"}),
    (["B02", "B8A", "B02_20200101", "B8A_20200101"], {"bands": "B02,B8A"}, {"dates": "2020-01-01"}),
    (["B8A_2020-01-01", "B11_2020-01-01", "B12"], {"bands": "B12"}, {"bands": "B8A,B11"}),
]


@pytest.mark.parametrize(("names", "undated", "dated"), MIXED)
def test_dated_and_undated_bands_can_be_chosen(tmp_path, names, undated, dated):
    path = write(tmp_path / "stack.tif", values(len(names)), names=names)
    with pytest.raises(RasterError, match="without a date") as caught:
        open_raster(path)
    assert {name for name, _ in caught.value.advice} == {"bands", "dates"}
    for argument, value in caught.value.advice:
        open_raster(path, **{argument: value})
    with open_raster(path, **undated) as raster:
        assert raster.days == (-1,)
        plain = [index for index, name in enumerate(names, 1) if "2020" not in name]
        assert [layer.index for layer in raster.layers[0]] == plain
    with open_raster(path, **dated) as raster:
        assert raster.days == (day_of("2020-01-01", ""),)
        assert len(raster.bands) == 2


@pytest.mark.parametrize(
    "dates", [("2020001", "2020153"), ("20200101_20200131", "20200601_20200630"), ("2020-01-01_2020-01-31", "2020153")]
)
def test_one_note_on_dates_per_file(tmp_path, dates):
    names = [f"{band}_{date}" for date in dates for band in ("B02", "B03", "B8A")]
    with open_raster(write(tmp_path / "stack.tif", values(6), names=names)) as raster:
        notes = [note for note in raster.warnings if "is read as day" in note or "is a span" in note]
        assert len(notes) == 1
        assert notes[0].startswith(f"{tmp_path}/stack.tif: in the names of its bands, ")
        assert notes[0].count(dates[0]) == 1
        assert dates[1] in notes[0]


@pytest.mark.parametrize(
    ("dates", "chosen", "said"),
    [
        (("20200101", "20500101"), "2020-01-01", "date 2020-01-01 from"),
        (("20200101", "20200601", "20500101"), "2020-01-01,2020-06-01", "dates 2020-01-01, 2020-06-01 from"),
        (("20200101", "20200601", "20210101"), "2020-06-01", "date 2020-06-01 from"),
    ],
)
def test_facts_name_the_dates_that_are_read(tmp_path, dates, chosen, said):
    names = [f"{band}_{date}" for date in dates for band in ("B02", "B8A")]
    with open_raster(write(tmp_path / "stack.tif", values(len(names)), names=names), dates=chosen) as raster:
        facts = [fact for fact in raster.facts if "names of the bands" in fact]
    assert len(facts) == 1
    assert facts[0].startswith(said)


@pytest.mark.parametrize("name", ["scene_20500101.tif", "scene_2060-05-01.tif", "20991231_scene.tif"])
def test_no_sensor_took_a_future_image(tmp_path, name):
    with pytest.raises(RasterError, match="in the future") as caught:
        open_raster(write(tmp_path / name, values(2), names=["B02", "B8A"]))
    assert "choose the sensor" not in caught.value.do
    with pytest.raises(RasterError, match="choose the sensor that took it"):
        open_raster(write(tmp_path / "scene_20100101.tif", values(2), names=["B02", "B8A"]))
