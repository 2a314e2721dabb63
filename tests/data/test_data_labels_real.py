"""Labelled images as they come: the real ones beside the checkout."""

import csv
import warnings
from dataclasses import replace

import numpy as np
import rasterio
from rasterio.errors import NotGeoreferencedWarning

from spectralgpt.data.labels import LabelReading, find_labels, open_labels


def stored(path, band=None):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", NotGeoreferencedWarning)
        with rasterio.open(path) as dataset:
            return dataset.read(band)


def few(source, count, **how):
    """Some samples of a set, spread over it, opened without parts, as these need samples of every class."""
    reading = LabelReading(**how)
    labels = find_labels(source, reading)
    spread = labels.samples[:: max(1, len(labels.samples) // count)]
    chosen = tuple(replace(sample, split="") for sample in spread)
    return open_labels(replace(labels, samples=chosen), reading), labels


def test_eurosat_as_class_folders_equals_its_files_band_by_band(shared):
    folder = shared / "data" / "eurosat_ms"
    opened, labels = few(folder, 20, bands="eurosat")
    assert len(labels.samples) == 120
    assert len(opened.data.classes) == 10
    for index, sample in enumerate(opened.data.samples):
        pixels = opened.data.read(index).image.read()
        assert np.array_equal(pixels.values[0], stored(folder / sample.name))
        assert [band.name for band in pixels.bands][-2:] == ["B12", "B8A"]


def test_eurosat_as_a_table_has_the_authors_parts_and_places(shared):
    folder = shared / "data" / "eurosat_ms"
    found = find_labels(folder / "labels.csv", LabelReading())
    with open(folder / "labels.csv", newline="") as file:
        rows = list(csv.DictReader(file))
    assert [sample.labels for sample in found.samples] == [(row["class_name"],) for row in rows]
    assert [sample.split for sample in found.samples] == [row["spectralgpt_split"] for row in rows]
    opened, _ = few(folder, 5, bands="eurosat")
    for sample in opened.data.samples:
        row = next(row for row in rows if row["file"] == sample.name)
        assert np.allclose(sample.position, (float(row["center_lon"]), float(row["center_lat"])), atol=1e-4)


def test_pairs_of_forests(shared):
    folder = shared / "data" / "bark_beetle_s2"
    opened, labels = few(folder / "images_2019", 5, after="images_2020", masks="masks", bands="s2-l2a")
    assert (labels.target, len(labels.samples)) == ("change", 115)
    for index, sample in enumerate(opened.data.samples):
        read = opened.data.read(index)
        for date, year in enumerate(("2019", "2020")):
            assert np.array_equal(read.image.read().values[date], stored(folder / f"images_{year}" / sample.name))
        damage = folder / "masks" / sample.name.replace("geojson", "mask")
        assert np.array_equal(read.mask, stored(damage, 1))


def test_landslides_and_land_cover(shared):
    opened, labels = few(shared / "data" / "landslide4sense", 16)
    assert len(labels.samples) == 16
    assert sum(int((opened.data.read(index).mask == 1).sum()) for index in range(16)) == 7594
    folder = shared / "data" / "hls_water_chips"
    assert find_labels(folder, LabelReading()).samples[0].mask == str(folder / "water" / "0.tif")
    opened, labels = few(folder, 8, masks="worldcover", bands="hls-l30")
    assert len(labels.samples) == 154
    codes = [int(one.name.removeprefix("class ")) for one in opened.data.classes]
    mask = opened.data.read(3).mask
    name = opened.data.samples[3].name
    assert np.array_equal(np.array(codes)[mask], stored(folder / "worldcover" / name.split("/")[1], 1))


def test_sparse_labels_of_change_in_raw_numbers(shared, tmp_path):
    folder = shared / "data" / "landsat_change_jiangsu" / "nanjing"
    sensor = tmp_path / "raw.toml"
    sensor.write_text('title = "raw"\nbands_of = "landsat5-l1"\nscale = 0.004\noffset = 0.0\n')
    opened = open_labels(
        folder / "nanjing_2000-05-03.tif",
        LabelReading(
            after="nanjing_2002-07-12.tif",
            masks="nanjing_label.tif",
            ignore=(0,),
            bands=str(sensor),
            trust_input=True,
        ),
    )
    assert opened.report.counts == {"": {"no change": 12393, "change": 2363}}
    assert opened.data.samples[0].date == "2000-05-03"
    mask = opened.data.read(0).mask
    assert np.array_equal(mask, stored(folder / "nanjing_label.tif", 1).astype(int) - 1)
