"""Single-band files with a description that names no band: the file's name counts."""

import pytest
from made_rasters import distinct, write

from spectralgpt.errors import BandError
from spectralgpt.products import open_raster


def folder_of(path, files: dict[str, str | None]):
    path.mkdir()
    for number, (name, description) in enumerate(files.items()):
        write(path / name, distinct(1, 16, 16) + 100 * number, names=[description])
    return path


def names(raster) -> list[str]:
    return [band.name for band in raster.bands]


@pytest.mark.parametrize("description", ["Reflectance", "foo", "Surface reflectance", "Band 1", None])
@pytest.mark.parametrize("pattern", ["{}.tif", "S2A_20200501_{}.tif", "T32UQD_20200501T100031_{}_10m.tif"])
def test_the_name_of_the_file_wins(tmp_path, description, pattern):
    folder = folder_of(tmp_path / "in", {pattern.format(name): description for name in ("B02", "B03", "B8A")})
    with open_raster(folder, bands="s2-l2a") as raster:
        assert names(raster) == ["B2", "B3", "B8A"]
    with open_raster(folder / pattern.format("B8A"), bands="s2-l2a") as raster:
        assert names(raster) == ["B8A"]


@pytest.mark.parametrize("sensor", ["landsat8-c2l2", "landsat5-c2l2"])
def test_of_another_sensor(tmp_path, sensor):
    files = {f"L_193026_SR_B{band}.TIF": "reflectance" for band in (2, 3, 4)}
    with open_raster(folder_of(tmp_path / "in", files), bands=sensor) as raster:
        assert names(raster) == ["B2", "B3", "B4"]


@pytest.mark.parametrize(
    "said", [("B02", "B03"), ("B2 blue", "B3 green"), ("B02_median", "B03_median"), ("blue", "green")]
)
def test_a_description_that_names_a_band_still_counts(tmp_path, said):
    folder = folder_of(tmp_path / "in", {"B04.tif": said[0], "B08.tif": said[1]})
    with open_raster(folder, bands="s2-l2a") as raster:
        assert names(raster) == ["B2", "B3"]


@pytest.mark.parametrize("files", [("a.tif", "b.tif"), ("one.tif", "two.tif"), ("left_part.tif", "right_part.tif")])
def test_without_any_name_it_says_what_to_do(tmp_path, files):
    folder = folder_of(tmp_path / "in", dict.fromkeys(files, "Reflectance"))
    with pytest.raises(BandError, match=r"names of the files, like scene_B02.tif"):
        open_raster(folder)
