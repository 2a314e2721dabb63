"""Dates in names and tags."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from spectralgpt.errors import RasterError
from spectralgpt.raster.dates import UNKNOWN, day_in_name, day_in_tags, day_of, written


@pytest.mark.parametrize(
    ("name", "day"),
    [
        ("S2A_MSIL1C_20210908T042701_N0301_R133_T46RER_20210908T070248.SAFE", "2021-09-08"),
        ("LC08_L2SP_005009_20150710_20200908_02_T2", "2015-07-10"),  # the acquisition comes before the processing
        ("scene-2020-05-01.tif", "2020-05-01"),
        ("2020_05_01.tif", "2020-05-01"),
        ("20200501", "2020-05-01"),
        ("20230231_20230301", "2023-03-01"),  # there is no 31st of February
        ("1999123.tif", ""),
        ("2020-0501.tif", ""),
        ("tile_120200501.tif", ""),
        ("scene.tif", ""),
    ],
)
def test_the_first_date_of_a_name(name, day):
    assert written(day_in_name(name)) == day


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
    assert written(day_in_tags(tags)) == day


@given(st.dates())
def test_days_and_dates_are_one_to_one(date):
    day = day_of(date.isoformat(), "a test")
    assert day == UNKNOWN or written(day) == date.isoformat()
    assert day_of(f"{date.isoformat()}T12:00:00Z", "a test") == day


@pytest.mark.parametrize("text", ["", "May", "2020-13-01", "01-05-2020"])
def test_what_is_no_date_is_said(text):
    with pytest.raises(RasterError, match=r"scene.tif: found '.*' for a date; expected one like 2020-05-01"):
        day_of(text, "scene.tif")
