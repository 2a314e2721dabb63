"""Dates in names and tags."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st
from real_rasters import BOTH, IMAGES, SHARED

from spectralgpt.days import UNKNOWN, day_of, iso_date
from spectralgpt.errors import RasterError
from spectralgpt.products.acquisition import acquisition, acquisition_in_name, day_in_name, day_in_tags
from spectralgpt.raster.tags import DATE_TAG


@pytest.mark.parametrize(
    ("name", "day"),
    [
        ("S2A_MSIL1C_20210908T042701_N0301_R133_T46RER_20210908T070248.SAFE", "2021-09-08"),
        ("LC08_L2SP_005009_20150710_20200908_02_T2", "2015-07-10"),  # the acquisition comes before the processing
        ("scene-2020-05-01.tif", "2020-05-01"),
        ("2020_05_01.tif", "2020-05-01"),
        ("20200501", "2020-05-01"),
        ("20230231_20230301", "2023-03-01"),  # there is no 31st of February
        ("1999123.tif", "1999-05-03"),  # a day of the year
        ("2020-0501.tif", ""),
        ("tile_120200501.tif", ""),
        ("scene.tif", ""),
    ],
)
def test_the_first_date_of_a_name(name, day):
    assert iso_date(day_in_name(name)) == day


@pytest.mark.parametrize(
    ("name", "day"),
    [
        # processed a year after the image was taken; the orbit is that of the image
        ("S2A_OPER_MSI_L1C_TL_EPA__20170512T170902_A002290_T43QBB_B01.tif", "2015-11-30"),
        ("S2A_OPER_MSI_L1C_TL_EPA__20160809T015434_A000162_T32TPP_B01.tif", "2015-07-04"),
        ("S2A_OPER_MSI_L1C_TL_MPS__20161130T130757_A007527_T31UDQ_B01.tif", "2016-11-30"),
        ("S2B_OPER_MSI_L2A_TL_VGS4_20220413T150000_A026649_T18SVG_N04.00", "2022-04-13"),
        ("S2A_OPER_MSI_L1C_TL_EPA__20170512T170902_T43QBB_B01.tif", "2017-05-12"),  # without an orbit
        ("scene_20170512T170902_A002290_B01.tif", "2017-05-12"),  # of no satellite
    ],
)
def test_the_orbit_of_an_old_name_tells_its_day(name, day):
    assert iso_date(day_in_name(name)) == day


def test_ten_days_are_143_orbits():
    first, later = (day_in_name(f"S2A_OPER_MSI_L1C_TL_EPA__20170512T170902_A{orbit:06}_") for orbit in (2290, 9440))
    assert later - first == 500


@pytest.mark.parametrize("data", BOTH)
def test_days_of_real_old_names(data):
    """The data set's own dates; many of its first images were processed up to 18 months later."""
    dated = 0
    for listed in sorted((data / "oscd").glob("*/dates.txt")):
        days = re.findall(r"date_(\d): (\d{4})(\d\d)(\d\d)", listed.read_text())
        for number, *day in days:
            names = [path.name for path in (listed.parent / f"imgs_{number}").glob("*.tif")]
            if names or data == SHARED:
                assert {iso_date(day_in_name(name)) for name in names} == {"-".join(day)}, listed
                dated += 1
    assert dated >= {IMAGES: 1, SHARED: 20}[data]


NONE: list[tuple[str, str]] = []
JULY = [(DATE_TAG, "2019-07-08")]


@pytest.mark.parametrize(
    ("path", "tags", "names", "day"),
    [
        ("a/scene_2020-05-01", [JULY, NONE], ["B02_2018-01-01.tif", "B03.tif"], "2019-07-08"),
        ("a/scene_2020-05-01", [NONE, NONE], ["B02_2018-01-01.tif", "B03_2018-01-02.tif"], "2020-05-01"),
        ("a/scene", [NONE, NONE], ["B02_2018-01-01.tif", "B03.tif"], "2018-01-01"),
        ("2020-05-01/scene", [NONE], ["B02.tif"], ""),
        ("scene", [], [], ""),
    ],
)
def test_tags_tell_before_the_images_name_before_its_files(path, tags, names, day):
    assert iso_date(acquisition(path, tags, names).day) == day


@pytest.mark.parametrize(
    ("tags", "names"),
    [
        ([JULY, [(DATE_TAG, "2019-07-09")]], ["B02.tif", "B03.tif"]),
        ([NONE, NONE], ["B02_2019-07-08.tif", "B03_2019-07-09.tif"]),
    ],
)
def test_files_of_several_days_are_no_image(tags, names):
    with pytest.raises(RasterError, match=r"^scene: found files of 2019-07-08 and 2019-07-09; expected one date"):
        acquisition("scene", tags, names)


@pytest.mark.parametrize(
    ("tags", "day"),
    [
        ({"ACQUISITION_DATE": "2019-07-08"}, "2019-07-08"),
        ({"SENSING_TIME": "2018-03-04T10:11:12.5Z", "TIFFTAG_DATETIME": "2022:01:01 00:00:00"}, "2018-03-04"),
        ({"TIFFTAG_DATETIME": "2022:01:01 00:00:00"}, ""),  # when the file was written
        ({"ACQUISITION_DATE": "last May"}, ""),
        ({}, ""),
    ],
)
def test_a_date_in_tags(tags, day):
    assert iso_date(day_in_tags(tags)) == day


@given(st.dates())
def test_days_and_dates_are_one_to_one(date):
    day = day_of(date.isoformat(), "a test")
    assert day == UNKNOWN or iso_date(day) == date.isoformat()
    assert day_of(f"{date.isoformat()}T12:00:00Z", "a test") == day


@pytest.mark.parametrize("text", ["", "May", "2020-13-01", "01-05-2020"])
def test_what_is_no_date_is_said(text):
    with pytest.raises(RasterError, match=r"scene.tif: found '.*' for a date; expected one like 2020-05-01"):
        day_of(text, "scene.tif")


@pytest.mark.parametrize(
    ("name", "day", "says"),
    [
        ("HLS.S30.T32UQD.2020123T102031.v2.0.tif", "2020-05-02", "2020123 is read as day 123 of 2020"),
        ("MOD09A1.A2021001.h18v04.061.tif", "2021-01-01", "day 001 of 2021"),
        ("LC80440342016040LGN00.tif", "2016-02-09", "2016040"),
        ("scene_2020366.tif", "2020-12-31", "day 366 of 2020"),
        ("scene_2019366.tif", "", "2019366 is no date; the day is unknown"),
        ("scene_20200230.tif", "", "20200230 is no date; the day is unknown"),
        ("scene_2021-13-01.tif", "", "2021-13-01 is no date; the day is unknown"),
        ("tile_1984_256.tif", "", "1984 is a year and no date"),  # row and column
        ("patch_2000_123_7.tif", "", "2000 is a year and no date"),
        ("1999_001.tif", "", "1999 is a year and no date"),
        ("mosaic_20200101_20200131.tif", "2020-01-16", "20200101_20200131 is a span of days; its middle, 2020-01-16"),
        ("mosaic_2020-01-01_2020-01-31.tif", "2020-01-16", "span"),
        ("2020-06-01_to_2020-06-03_median.tif", "2020-06-02", "span"),
        ("composite_2020.tif", "", "2020 is a year and no date; the day is unknown"),
        ("2019.tif", "", "2019 is a year"),
    ],
)
def test_what_a_name_says_besides_a_plain_date(name, day, says):
    found = acquisition_in_name(name)
    assert iso_date(found.day) == day
    assert len(found.notes) == 1
    assert says in found.notes[0]


@pytest.mark.parametrize(
    ("name", "day"),
    [
        ("LC08_L1TP_029040_20160720_20170222_01_T1", "2016-07-20"),  # the second is the day of processing
        ("green_patch_51_3_by_7_LC08_L1TP_064014_20160420_20170223_01_T1.TIF", "2016-04-20"),
        ("S2A_MSIL1C_20210908T042701_N0301_R133_T46RER_20210908T070248.SAFE", "2021-09-08"),
        ("20200101T101010_20200131T101010.tif", "2020-01-01"),
        ("tile_2048_256.tif", ""),  # row and column
        ("0f2000123e.tif", ""),
        ("20201231x.tif", "2020-12-31"),
        ("Forest_2001b.tif", ""),
        ("tile_9999_12.tif", ""),
    ],
)
def test_names_that_need_no_note(name, day):
    found = acquisition_in_name(name)
    assert (iso_date(found.day), found.notes) == (day, ())
