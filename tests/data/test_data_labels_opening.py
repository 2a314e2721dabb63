"""Opening labelled images: what is read, what is reported, and every fault in one message."""

import pickle
from concurrent.futures import ThreadPoolExecutor
from functools import partial

import numpy as np
import pytest
import rasterio
from made_rasters import NAMES, land

from made_labels import SIDE, class_folders, image, mask, masked, moved, pairs, table, with_palette, write
from spectralgpt.data.image_source import ImageSource
from spectralgpt.data.labels import FileLabels, FileSample, LabelledSet, LabelReading, open_labels
from spectralgpt.errors import BandError, DataError, InputError, RasterError
from spectralgpt.products import as_pixels
from spectralgpt.tasks import Class

made_pixels = partial(as_pixels, trust_input=True)
"""Values that are made up: they are not checked."""


def opened(source, **how):
    return open_labels(source, LabelReading(**how))


def refused(source, **how) -> str:
    with pytest.raises(InputError) as caught:
        opened(source, **how)
    return str(caught.value)


def stored(path):
    with rasterio.open(path) as dataset:
        return dataset.read()


def test_classes_are_sorted_and_images_are_the_files(tmp_path):
    class_folders(tmp_path, {"Water": 1, "Forest": 2})
    data = opened(tmp_path).data
    assert isinstance(data, LabelledSet)
    assert [one.name for one in data.classes] == ["Forest", "Water"]
    for index, sample in enumerate(data.samples):
        pixels = data.read(index)
        assert pixels.mask is None
        assert np.array_equal(pixels.image.read().values[0], stored(tmp_path / sample.name))
        assert data.classes[sample.labels[0]].name == sample.name.split("/")[0]


def test_positions_and_extents_are_those_of_the_grid(tmp_path):
    class_folders(tmp_path, {"a": 1, "b": 1})
    (sample, _) = opened(tmp_path).data.samples
    longitude, latitude = sample.position
    assert (longitude, latitude) == pytest.approx((-75.729, 37.760), abs=2e-3)
    assert sample.extent == pytest.approx(SIDE * 5 * 2**0.5, rel=2e-3)


def test_codes_are_classes_in_ascending_order(tmp_path):
    masked(tmp_path, codes=(200, 10, 3), dtype="int32", nodata=200)
    result = opened(tmp_path)
    assert [one.name for one in result.data.classes] == ["class 3", "class 10"]
    indices, codes = result.data.read(1).mask, stored(tmp_path / "masks" / "mask_1.tif")[0]
    assert np.array_equal(indices, np.select([codes == 3, codes == 10], [0, 1], -1))
    counts = {"class 3": int(3 * (codes == 3).sum()), "class 10": int(3 * (codes == 10).sum())}
    assert result.report.counts == {"": counts}
    assert result.report.unlabelled == pytest.approx((codes == 200).mean())


def test_what_lies_under_ignored_pixels_never_matters(tmp_path):
    one, other = (masked(tmp_path / name, codes=codes) for name, codes in (("one", (1, 2, 254)), ("two", (1, 2, 255))))
    results = [opened(folder, ignore=(254, 255)) for folder in (one, other)]
    assert results[0].report.counts == results[1].report.counts
    assert results[0].data.classes == results[1].data.classes
    for index in range(3):
        masks = [result.data.read(index).mask for result in results]
        assert np.array_equal(*masks)
        assert (masks[0] == -1).any()


def test_names_come_from_the_user_else_from_the_files(tmp_path):
    masked(tmp_path, codes=(1, 10))
    with_palette(tmp_path / "masks" / "mask_0.tif", {1: (1, 2, 3), 10: (255, 0, 0)})
    assert opened(tmp_path).data.classes == (Class("class 1", "#010203"), Class("class 10", "#ff0000"))
    assert opened(tmp_path, classes="land,water").data.classes == (Class("land"), Class("water"))
    toml = table(tmp_path / "c.toml", '[classes]\n10 = "water"\n1 = "land"\n5 = "snow"\n')
    result = opened(tmp_path, classes=str(toml))
    assert [one.name for one in result.data.classes] == ["land", "snow", "water"]
    assert set(np.unique(result.data.read(0).mask)) == {0, 2}
    assert "classes that do not occur: snow" in result.report.notes


def test_pairs_have_two_dates_in_the_order_given(tmp_path):
    pairs(tmp_path, codes=(0, 255))
    data = opened(tmp_path).data
    assert [one.name for one in data.classes] == ["no change", "change"]
    read = data.read(1)
    for date, folder in enumerate(("before", "after")):
        assert np.array_equal(read.image.read().values[date], stored(tmp_path / folder / "1.tif"))
    assert np.array_equal(read.mask, stored(tmp_path / "masks" / "1.tif")[0] == 255)


def test_the_order_of_a_pair_is_never_by_date(tmp_path):
    rows = "image,after,mask\na_2021-05-01.tif,b_2019-05-01.tif,mask.tif\n"
    later = image(tmp_path / "a_2021-05-01.tif", 1)
    image(tmp_path / "b_2019-05-01.tif", 2)
    mask(tmp_path / "mask.tif")
    pixels = opened(table(tmp_path / "pairs.csv", rows)).data.read(0).image.read()
    assert pixels.days[0] > pixels.days[1]
    assert np.array_equal(pixels.values[0], stored(later))


def test_a_second_image_on_another_grid_is_read_by_georeference(tmp_path):
    pairs(tmp_path, 1, transform=moved(-2, -1))
    pixels = opened(tmp_path).data.read(0).image.read()
    after = stored(tmp_path / "after" / "0.tif")
    assert np.array_equal(pixels.values[1, :, :-1, :-2], after[:, 1:, 2:])
    assert pixels.valid[1, 0].tolist() == [
        [row < SIDE - 1 and column < SIDE - 2 for column in range(SIDE)] for row in range(SIDE)
    ]
    assert pixels.valid[0].all()


def test_a_pair_in_different_units_is_reflectance(tmp_path):
    pairs(tmp_path, 1)
    after = stored(tmp_path / "after" / "0.tif")
    write(tmp_path / "after" / "0.tif", after + 1000, names=NAMES, scales=(1e-4,) * 13, offsets=(-0.1,) * 13)
    found = opened(tmp_path).data.read(0).image.read()
    assert np.allclose(found.reflectance()[1], after * 1e-4, atol=1e-6)
    assert np.allclose(found.reflectance()[0], stored(tmp_path / "before" / "0.tif") * 1e-4, atol=1e-6)


def test_gsd_takes_image_and_mask_to_one_grid(tmp_path):
    masked(tmp_path, 1, codes=(1, 2))
    read = opened(tmp_path, gsd=20).data.read(0)
    assert read.image.shape == (1, 13, SIDE // 2, SIDE // 2)
    assert np.array_equal(read.mask, stored(tmp_path / "masks" / "mask_0.tif")[0][1::2, 1::2] - 1)


def test_a_given_nodata_is_not_valid_in_images(tmp_path):
    pairs(tmp_path, 1)
    values = stored(tmp_path / "after" / "0.tif")
    values[:, 2:4, 3] = 7777
    write(tmp_path / "after" / "0.tif", values, names=NAMES)
    assert opened(tmp_path).data.read(0).image.read().valid is None
    valid = opened(tmp_path, nodata="7777").data.read(0).image.read().valid
    assert np.array_equal(valid[1], values != 7777)
    assert valid[0].all()


def test_the_set_is_picklable_and_reads_in_threads(tmp_path):
    masked(tmp_path, 4)
    data = opened(tmp_path).data
    wanted = [data.read(index).image.read().values for index in range(4)]
    again = pickle.loads(pickle.dumps(data))
    with ThreadPoolExecutor(4) as threads:
        for index, read in zip([0, 1, 2, 3] * 8, threads.map(again.read, [0, 1, 2, 3] * 8), strict=True):
            assert np.array_equal(read.image.read().values, wanted[index])


def test_permuting_rows_changes_nothing_but_the_order(tmp_path):
    masked(tmp_path, 5, codes=(1, 7))
    rows = [f"images/image_{index}.tif,masks/mask_{index}.tif,{'train' if index else 'val'}" for index in range(5)]
    one, two = (
        opened(table(tmp_path / f"{name}.csv", "\n".join(("image,mask,split", *listed))))
        for name, listed in (("one", rows), ("two", [rows[index] for index in (3, 0, 4, 2, 1)]))
    )
    assert one.data.classes == two.data.classes
    assert one.report.counts == two.report.counts
    assert sorted(one.data.samples, key=lambda each: each.name) == sorted(two.data.samples, key=lambda each: each.name)
    assert np.array_equal(one.data.read(3).mask, two.data.read(0).mask)


def test_images_that_are_no_raster_are_opened_by_the_data_set(tmp_path):
    calls = []

    def opening(source: ImageSource):
        calls.append(source.name)
        return made_pixels(land(8, 8, int(source.name)), bands="s2-l1c", gsd=10)

    samples = tuple(FileSample(name, ImageSource(name, (name,)), labels=("ab"[int(name)],)) for name in ("0", "1"))
    labels = FileLabels(str(tmp_path), "class", samples, (Class("b"), Class("a")), open=opening, notes=("known",))
    result = open_labels(labels)
    assert [sample.labels for sample in result.data.samples] == [(1,), (0,)]
    assert np.array_equal(result.data.read(1).image.read().values[0], land(8, 8, 1))
    assert calls == ["0", "1", "1"]
    assert result.report.notes == ("known",)


def test_a_row_says_the_sensor_of_its_image_and_the_argument_that_of_the_others(tmp_path):
    for index in range(2):
        write(tmp_path / f"{index}.tif", land(SIDE, SIDE, index, 12 + index))
    rows = table(tmp_path / "rows.csv", "image,label,bands\n0.tif,a,s2-l2a\n1.tif,b,\n")
    data = opened(rows, bands="s2-l1c", trust_input=True).data
    assert [data.read(index).image.bands[0].sensor for index in range(2)] == ["s2-l2a", "s2-l1c"]


def test_bands_of_a_data_set_that_opens_its_images_itself_are_selected(tmp_path):
    def opening(source: ImageSource):
        return made_pixels(land(8, 8, int(source.name)), bands="s2-l1c", gsd=10)

    samples = tuple(FileSample(name, ImageSource(name, (name,)), labels=(name,)) for name in ("0", "1"))
    labels = FileLabels(str(tmp_path), "class", samples, open=opening)
    image = open_labels(labels, LabelReading(bands="B3,B2")).data.read(1).image
    assert [band.name for band in image.bands] == ["B3", "B2"]
    assert np.array_equal(image.read().values[0], land(8, 8, 1)[[2, 1]])
    assert "bands='landsat8-toa': the data set reads its images itself" in refused(labels, bands="landsat8-toa")


RENAMED = [
    ("s2-l2a", ["a_1", "a_2", "a_3"], "B2=a_1,B3=a_2,B8=a_3", ["B2", "B3", "B8"], [0, 1, 2]),  # as the file calls them
    ("s2-l2a", ["B02", "B03", "B08"], "B4=B08,B02", ["B4", "B2"], [2, 0]),
    ("B2,B8A,B8", None, "B4=B8", ["B2", "B8A", "B4"], [0, 1, 2]),  # of a file without names, as the row calls them
    ("s2-l2a:B2,B3,B8", None, "s2-l2a:B4=B8,B2", ["B4", "B2"], [2, 0]),
    ("", ["a_1", "a_2", "a_3"], "s2-l2a:B2=a_1,B3=a_2,B8=a_3", ["B2", "B3", "B8"], [0, 1, 2]),
]


@pytest.mark.parametrize(("own", "names", "given", "bands", "indices"), RENAMED)
def test_renamed_bands_of_a_table(tmp_path, own, names, given, bands, indices):
    for index in range(2):
        write(tmp_path / f"{index}.tif", land(SIDE, SIDE, index, 3), names=names)
    rows = table(tmp_path / "rows.csv", f'image,label,bands\n0.tif,a,"{own}"\n1.tif,b,"{own}"\n')
    image = opened(rows, bands=given, trust_input=True).data.read(1).image
    assert [(band.sensor, band.name) for band in image.bands] == [("s2-l2a", name) for name in bands]
    assert np.array_equal(image.read().values[0], land(SIDE, SIDE, 1, 3)[indices])


@pytest.mark.parametrize(
    ("given", "bands", "indices"),
    [
        ("B4=B3,B3=B4", NAMES, [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12]),
        ("B8=B8A,B8A=B8,B2", ["B8", "B8A", "B2"], [8, 7, 1]),
        ("s2-l1c:B9=b10,B10=b9,B1", ["B9", "B10", "B1"], [10, 9, 0]),
    ],
)
def test_renamed_bands_of_a_data_set_that_opens_its_images_itself(tmp_path, given, bands, indices):
    def opening(source: ImageSource):
        return made_pixels(land(8, 8, int(source.name)), bands="s2-l1c", gsd=10)

    samples = tuple(FileSample(name, ImageSource(name, (name,)), labels=(name,)) for name in ("0", "1"))
    labels = FileLabels(str(tmp_path), "class", samples, open=opening)
    image = open_labels(labels, LabelReading(bands=given, trust_input=True)).data.read(1).image
    if len(bands) == 13:
        bands = [*bands[:2], "B4", "B3", *bands[4:]]
    assert [band.name for band in image.bands] == list(bands)
    assert np.array_equal(image.read().values[0], land(8, 8, 1)[indices])
    assert "found no 'B77' for bands='s2-l1c:B2=B77'" in refused(labels, bands="B2=B77")
    assert "the images have bands of s2-l1c" in refused(labels, bands="landsat8-toa:B2=B3")


def test_masks_with_codes_of_their_own(tmp_path):
    samples = []
    for index, codes in enumerate(((1, 2), (0, 255))):
        path = image(tmp_path / f"{index}.tif", index)
        of_mask = mask(tmp_path / f"{index}_mask.tif", codes)
        samples.append(FileSample(str(index), ImageSource(str(path), (str(path),)), mask=str(of_mask), codes=codes))
    labels = FileLabels(str(tmp_path), "mask", tuple(samples), (Class("no"), Class("yes")))
    data = open_labels(labels).data
    assert np.array_equal(data.read(0).mask, data.read(1).mask)
    mask(tmp_path / "1_mask.tif", (0, 7, 255))
    with pytest.raises(DataError, match=r"found 1 mask with codes outside its classes: 1 \(7\)"):
        open_labels(labels)
    assert open_labels(labels, LabelReading(ignore=(7,))).report.unlabelled > 0


# every fault: one message with the first files and the count


def test_a_label_outside_the_classes(tmp_path):
    class_folders(tmp_path, {"a": 2, "b": 6})
    assert (
        "found 6 images with a label outside the classes: b/b_0.tif (b), b/b_1.tif (b), b/b_2.tif (b), "
        "b/b_3.tif (b) and 2 more; expected one of: a, c" in refused(tmp_path, classes="a,c")
    )


def test_a_code_outside_the_classes(tmp_path):
    masked(tmp_path, codes=(1, 2, 9))
    toml = table(tmp_path / "c.toml", '[classes]\n1 = "a"\n2 = "b"\n')
    count = 3 * int((stored(tmp_path / "masks" / "mask_0.tif") == 9).sum())
    message = refused(tmp_path, classes=str(toml))
    assert f"found 3 images with mask codes outside the classes (9 ({count} pixels))" in message
    assert message.endswith("Leave such pixels out with ignore=9")
    assert opened(tmp_path, classes=str(toml), ignore=(9,)).report.unlabelled > 0
    assert "found 1 (" in refused(tmp_path, classes="a,b")


def test_a_mask_of_another_size_or_place_and_an_image_that_cannot_be_read(tmp_path):
    masked(tmp_path, 5)
    mask(tmp_path / "masks" / "mask_0.tif", rows=SIDE - 1)
    mask(tmp_path / "masks" / "mask_1.tif", transform=moved(3))
    mask(tmp_path / "masks" / "mask_2.tif", crs="EPSG:32633")
    (tmp_path / "images" / "image_3.tif").write_text("no image")
    message = refused(tmp_path)
    assert message.startswith(f"{tmp_path}: found 3 kinds of faults\n")
    assert "found 1 image with a mask of another size: images/image_0.tif (mask 15 x 16, image 16 x 16)" in message
    assert "found 2 images with a mask of another CRS or transform: images/image_1.tif, images/image_2." in message
    assert "image_3.tif: cannot be opened as an image" in message


def test_the_same_error_of_many_images_is_one_message(tmp_path):
    for index in range(7):
        path = tmp_path / "ab"[index % 2] / f"{index}.tif"
        path.parent.mkdir(exist_ok=True)
        write(path, land(8, 8, index))
    with pytest.raises(BandError) as caught:
        opened(tmp_path)
    assert "0.tif: found 13 bands without names (the same in a/2.tif, a/4.tif, a/6.tif, b/1.tif and 2 more)" in str(
        caught.value
    )
    assert caught.value.advice
    assert len(opened(tmp_path, bands="eurosat").data.samples) == 7


def test_an_image_that_is_not_what_it_claims_to_be(tmp_path):
    class_folders(tmp_path, {"a": 1, "b": 1})
    write(tmp_path / "a" / "x.tif", land(SIDE, SIDE).astype(np.float32) * 100, names=NAMES)
    with pytest.raises(RasterError, match=r"times too bright.*trust_input=True"):
        opened(tmp_path)
    assert len(opened(tmp_path, trust_input=True).data.samples) == 3


def test_a_class_missing_from_training(tmp_path):
    class_folders(tmp_path / "train", {"a": 1, "b": 1})
    class_folders(tmp_path / "test", {"a": 1, "c": 1, "d": 1})
    assert "found 2 classes without a sample in the part train: c, d" in refused(tmp_path)
    assert "classes" not in str(opened(tmp_path / "test").report.notes)


def test_an_empty_part(tmp_path):
    masked(tmp_path / "train")
    masked(tmp_path / "val", codes=(255,))
    assert "found 1 part without a labelled sample: val" in refused(tmp_path, ignore=(255,))
    masked(tmp_path / "train", codes=(255,))
    assert "found no labelled pixel in 6 masks" in refused(tmp_path, ignore=(255,))


def test_one_class_only(tmp_path):
    class_folders(tmp_path, {"a": 2})
    assert "found one class only, a; expected two or more" in refused(tmp_path)


def test_an_image_that_cannot_be_read_does_not_make_one_class_of_two(tmp_path):
    class_folders(tmp_path, {"a": 2, "b": 1})
    (tmp_path / "b" / "b_0.tif").write_text("no image")
    assert refused(tmp_path).startswith(f"{tmp_path}/b/b_0.tif: cannot be opened as an image")
    assert "one class" not in refused(tmp_path)


def test_a_class_that_masks_declare_as_nodata_is_said(tmp_path):
    masked(tmp_path, codes=(0, 1), nodata=0)
    message = refused(tmp_path)
    assert "found one class only, class 1; masks declare 0 as nodata, so such pixels are not labelled" in message
    assert "dataset.nodata = None" in message
    assert "masks declare 0 as nodata" in refused(tmp_path, classes="no,yes")
    toml = table(tmp_path / "c.toml", '[classes]\n0 = "no"\n1 = "yes"\n')
    assert "0 (no) is declared as nodata in masks: such pixels are not labelled" in (
        opened(tmp_path, classes=str(toml)).report.notes
    )
    masked(tmp_path, codes=(1,), nodata=0)  # declared, but it does not occur
    assert "nodata" not in refused(tmp_path)
    pairs(tmp_path / "pairs")
    for index in range(2):
        mask(tmp_path / "pairs" / "masks" / f"{index}.tif", nodata=0)
    assert "in masks of change; masks declare 0 as nodata" in refused(tmp_path / "pairs")


def test_pairs_that_are_none(tmp_path):
    pairs(tmp_path / "apart", transform=moved(1000))
    assert "found 2 pairs of images that do not overlap: before/0.tif, before/1.tif" in refused(tmp_path / "apart")
    pairs(tmp_path / "sizes", crs=None, rows=SIDE - 1)
    assert "found 2 pairs of images of different sizes without georeference" in refused(tmp_path / "sizes")
    pairs(tmp_path / "bands")
    write(tmp_path / "bands" / "after" / "1.tif", land(SIDE, SIDE, 1, 12), names=NAMES[:12])
    assert "found 1 pair of images with different bands: before/1.tif" in refused(tmp_path / "bands")


def test_a_file_is_no_pair_with_itself(tmp_path):
    pairs(tmp_path, 3)
    for index in (1, 2):
        (tmp_path / "after" / f"{index}.tif").unlink()
        (tmp_path / "after" / f"{index}.tif").symlink_to(tmp_path / "before" / f"{index}.tif")
    assert "found 2 pairs of a file with itself: before/1.tif, before/2.tif; expected" in refused(tmp_path)
    lines = "".join(f"before/{index}.tif,before/{index}.tif,masks/{index}.tif\n" for index in range(3))
    rows = table(tmp_path / "rows.csv", f"before,after,mask\n{lines}")
    assert "found 3 pairs of a file with itself: before/0.tif+before/0.tif, " in refused(rows)


def test_masks_of_change_have_two_codes(tmp_path):
    pairs(tmp_path, codes=(0, 1, 2))
    assert "in masks of change; expected two codes" in refused(tmp_path)
    assert refused(tmp_path).endswith("ignore=0")
    data = opened(tmp_path, ignore=(0,)).data
    codes = stored(tmp_path / "masks" / "0.tif")[0].astype(int)
    assert np.array_equal(data.read(0).mask, codes - 1)


def test_an_image_with_fewer_bands(tmp_path):
    class_folders(tmp_path, {"a": 2, "b": 2})
    write(tmp_path / "a" / "few.tif", land(SIDE, SIDE, 1, 12), names=NAMES[:12])
    assert "found 1 image with fewer bands than the others: a/few.tif (12 bands)" in refused(tmp_path)
    assert len(opened(tmp_path, bands="B2,B3,B4,B8").data.samples) == 5


def test_a_report_is_short_and_says_what_matters(tmp_path):
    class_folders(tmp_path / "train", {f"class_{number:02}": 1 for number in range(15)})
    class_folders(tmp_path / "test", {"class_00": 2})
    report = opened(tmp_path).report
    lines = str(report).splitlines()
    assert len(lines) <= 25
    assert lines[0] == f"{tmp_path}: 17 samples, one label each"
    assert lines[1] == "sizes: 16 x 16; bands: s2-l1c, 13 bands"
    assert "with position: 17, group: 0 (0 different), date: 0" in lines
    assert any(line.split() == ["class_00", "1", "2"] for line in lines)
    assert any(line.split() == ["4", "more", "classes", "4", "0"] for line in lines)
    assert report.samples == {"train": 15, "test": 2}


def test_warnings_are_said_once(tmp_path):
    class_folders(tmp_path, {"a": 3, "b": 2})
    said = [note for note in opened(tmp_path).report.notes if "spectra unlike any" in note]
    assert len(said) == 1
    assert "a/a_0.tif" in said[0]
    assert said[0].endswith("(and 4 more images with a warning of this kind)")
