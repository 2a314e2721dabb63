"""Which of several sensors is advised first: pixel size, type, words in the file's name, and how odd its pixels are."""

import pytest

from spectralgpt.bands import Evidence, identify, sensor, sensors
from spectralgpt.bands.fitting import could_be_resampled, fits_grid, rank
from spectralgpt.errors import BandError

FOUR = ("B2", "B3", "B4", "B5")


def advised(names: tuple[str | None, ...], source: str, **how: object) -> list[str]:
    with pytest.raises(BandError) as caught:
        identify(Evidence(names, source, **how), None)
    return [str(value) for _, value in caught.value.advice]


@pytest.mark.parametrize(
    ("name", "gsd", "measured", "resampled"),
    [
        ("landsat8-c1sr", 30.0, True, True),
        ("landsat8-c1sr", 10.0, False, True),
        ("landsat8-c1sr", 90.0, False, True),
        ("landsat8-c1sr", 3.0, False, False),
        ("s2-l2a", 10.0, True, True),
        ("s2-l2a", 3.2, False, True),
        ("s2-l2a", 250.0, False, False),
        ("modis", 250.0, False, True),
        ("modis", float("nan"), True, True),
    ],
)
def test_an_export_may_be_three_times_finer_or_coarser(name, gsd, measured, resampled):
    assert fits_grid(sensor(name), (), gsd) == measured
    assert could_be_resampled(sensor(name), (), gsd) == resampled


@pytest.mark.parametrize(
    ("file", "family"),
    [
        ("wc_L8_2017-08-15.tif", "landsat8"),
        ("L9_lake.tif", "landsat8"),
        ("LC08_crop.tif", "landsat8"),
        ("LO09-crop.tif", "landsat8"),
        ("landsat-8_lake.tif", "landsat8"),
        ("LT05_crop.tif", "landsat5"),
        ("LT4_crop.tif", "landsat5"),
        ("L5_x.tif", "landsat5"),
        ("LE07_crop.tif", "landsat7"),
        ("L7.tif", "landsat7"),
        ("S2A_20200501.tif", "s2"),
        ("T32_S2B.tif", "s2"),
        ("sentinel-2_lake.tif", "s2"),
        ("MOD09A1_crop.tif", "modis"),
        ("MYD09_crop.tif", "modis"),
        ("hls_lake.tif", "hls"),
        ("HLS_S30_lake.tif", "hls-s30"),
        ("PlanetScope_x.tif", "planetscope"),
    ],
)
def test_words_of_names(file, family):
    spoken = {each.name for each in sensors() if each.is_spoken_of(file)}
    assert spoken
    assert all(name.startswith(family) for name in spoken)


@pytest.mark.parametrize("file", ["scene.tif", "tile_18.tif", "html8.tif", "atms2.tif", "modern.tif", "XL8a.tif"])
def test_names_that_say_nothing(file):
    assert not [each.name for each in sensors() if each.is_spoken_of(file)]


@pytest.mark.parametrize(
    ("source", "gsd", "first"),
    [
        ("wc_L8_2017.tif", 10.0, "landsat8"),
        ("LC08_crop.tif", 10.0, "landsat8"),
        ("folder_L5/scene.tif", 10.0, "landsat5"),
        ("LE07_crop.tif", 30.0, "landsat7"),
        ("S2A_crop.tif", 30.0, "s2"),
        ("scene.tif", 10.0, "s2"),
        ("scene.tif", 30.0, "hls"),
    ],
)
def test_the_name_comes_before_the_pixel_size(source, gsd, first):
    found = advised(FOUR, source, gsd=gsd, dtype="int16")
    assert found[0].startswith(first) or (first == "hls" and found[0].startswith("landsat"))
    assert len(found) > 3, "all that are possible are listed"


def test_what_is_too_far_off_is_not_advised():
    assert not any(name.startswith(("s2", "modis")) for name in advised(FOUR, "scene.tif", gsd=120.0, dtype="int16"))
    assert not any(name.startswith("landsat") for name in advised(FOUR, "scene.tif", gsd=3.5, dtype="int16"))


def test_pixels_that_contradict_a_sensor_put_it_last():
    odder = (("s2-l2a", 90.0), ("s2-l1c", 88.0), ("landsat8-c1sr", 0.0), ("landsat5-c1sr", 9.0))
    found = advised(FOUR, "scene.tif", gsd=10.0, dtype="int16", odder=odder)
    assert found[0] == "landsat8-c1sr"
    assert not found[0].startswith("s2")


@pytest.mark.parametrize(("file", "level"), [("L8_toa.tif", "TOA"), ("x_SR_L8.tif", "SR"), ("L5-TOA.tif", "TOA")])
def test_a_level_in_the_name(file, level):
    found = [sensor(name) for name in advised(FOUR, file, gsd=30.0, dtype="int16")]
    assert found[0].level == level


def test_a_small_difference_of_oddness_decides_nothing():
    evidence = Evidence(FOUR, "scene.tif", gsd=30.0, odder=(("landsat8-c1sr", 0.3), ("landsat8-toa", 0.0)))
    assert rank(sensor("landsat8-c1sr"), FOUR, evidence) == rank(sensor("landsat8-toa"), FOUR, evidence)
