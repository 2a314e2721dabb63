"""Known data sets are read by their layouts."""

from pathlib import Path

import numpy as np
import pytest
from made_rasters import land, write
from real_rasters import BOTH, IMAGES, SHARED

from made_folders import bands_of, scene
from spectralgpt.data.datasets import read_dataset
from spectralgpt.data.series import Reading
from spectralgpt.data.sharding import shard
from spectralgpt.data.shards import open_shards
from spectralgpt.errors import RasterError

READING = Reading(chip=96, least_valid=0.1, most_dates=12)


@pytest.fixture
def fmow(tmp_path) -> Path:
    """Two locations; of the first, images 0 and 2 have dates, 5 has the date of 2, 7 has none."""
    folder = tmp_path / "fmow-sentinel"
    for split, category, location, images in (("train", "air_port", 3, (0, 2, 5, 7)), ("val", "dam", 11, (1,))):
        place = folder / split / category / f"{category}_{location}"
        place.mkdir(parents=True)
        for image in images:
            write(place / f"{category}_{location}_{image}.tif", land(40, 50, image))
    (folder / "train.csv").write_text(
        ",category,location_id,image_id,timestamp\n"
        "0,air_port,3,2,2016-05-01T10:00:00Z\n1,air_port,3,0,2017-05-01T10:00:00Z\n2,air_port,3,5,2016-05-01T11:00:00Z\n"
    )
    return folder


def test_fmow_sentinel_is_a_stack_a_location(fmow, tmp_path):
    report = shard([fmow.parent], tmp_path / "out", READING, workers=1)
    assert not report.manifest.failed
    shards = open_shards(tmp_path / "out")
    sides = ((layout.dates, layout.side) for layout in shards.layouts)
    assert dict(zip(sides, shards.counts, strict=True)) == {(1, 64): 3, (2, 64): 1}
    stack = next(index for index, layout in enumerate(shards.layouts) if layout.dates == 2)
    samples = shards.read(stack, np.array([0]))
    assert samples.bands[8].name == "B8A"
    assert samples.bands[0].sensor == "s2-l1c"
    for index, seed in enumerate((2, 0)):
        np.testing.assert_array_equal(samples.values[0, index, :, :40, :50], land(40, 50, seed))
    assert samples.days.tolist() == [[16922, 17287]]
    places = {
        source.split("/")[-1].split(",")[0]: int(place)
        for layout, count in enumerate(shards.counts)
        for source, place in zip(shards.sources(layout, np.arange(count)), shards.places(layout), strict=True)
    }
    assert len({place for name, place in places.items() if name.startswith("air_port")}) == 1
    assert places["dam_11_1.tif"] != places["air_port_3_5.tif"]


def test_fmow_sentinel_with_another_table_is_refused(fmow):
    (fmow / "train.csv").write_text("image,when\n1,2\n")
    with pytest.raises(RasterError, match=r"train\.csv: found the columns image, when; expected category"):
        read_dataset(str(fmow))


def test_bigearthnet_is_found_by_names_alone(tmp_path):
    first = tmp_path / "v1" / "S2A_MSIL2A_20170613T101031_87_48"
    bands_of(first, ("B02", "B03"))
    second = first.with_name("S2B_MSIL2A_20170924T93020_69_24")
    second.mkdir()  # not opened, so nobody notices that it is empty
    product = tmp_path / "v2" / "S2A_MSIL2A_20170613T101031_N9999_R022_T33UUP"
    patch = product / f"{product.name}_26_57"
    bands_of(patch, ("B02", "B03"))
    assert [image.paths for image in read_dataset(str(tmp_path / "v1")) or ()] == [(str(first),), (str(second),)]
    assert [image.paths for image in read_dataset(str(tmp_path / "v2")) or ()] == [(str(patch),)]
    assert read_dataset(str(tmp_path)) is None
    assert read_dataset(str(product.parent.parent / "v1" / first.name)) is None


def test_a_folder_of_images_is_no_data_set(tmp_path):
    scene(tmp_path / "train" / "field" / "a_1.tif", 20, 20)
    assert read_dataset(str(tmp_path)) is None
    assert read_dataset(str(tmp_path / "train")) is None


@pytest.mark.parametrize("data", BOTH)
def test_real_bigearthnet_patches_are_images(data, tmp_path):
    folders = [data / "bigearthnet_samples", data / "s2_format_samples" / "BigEarthNet-v2"]
    count = {IMAGES: 2, SHARED: 11}[data]
    report = shard([folders[0], folders[1] / "BigEarthNet-S2"], tmp_path / "out", Reading(120, 0.1, 12), workers=1)
    shards = open_shards(tmp_path / "out")
    assert (shards.counts, report.left_out) == ((count,), 0)
    (layout,) = shards.layouts
    assert (layout.sensor, len(layout.bands), layout.side, layout.dates) == ("s2-l2a", 12, 120, 1)
    lon, lat = shards.positions(0).T
    assert ((lat > 36) & (lat < 70) & (lon > -10) & (lon < 32)).all()  # the ten countries
    days = shards.read(0, np.arange(count)).days.numpy()
    assert ((days > 17317) & (days < 17683)).all()  # June 2017 to May 2018
