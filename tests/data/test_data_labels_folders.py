"""Folders of labelled images: what they are is known by names."""

import shutil

import pytest

from made_folders import bands_of
from made_labels import class_folders, image, mask, masked, pairs
from spectralgpt.data.labels import LabelReading, find_labels
from spectralgpt.errors import DataError


def read(path, **how):
    return find_labels(path, LabelReading(**how))


def test_class_folders_hold_files_and_folders_of_bands(tmp_path):
    class_folders(tmp_path, {"Forest": 2})
    bands_of(tmp_path / "Water" / "lake")
    image(tmp_path / "Water" / "deep" / "sea.tif")
    found = read(tmp_path)
    assert found.target == "class"
    assert {each.name: each.labels for each in found.samples} == {
        "Forest/Forest_0.tif": ("Forest",),
        "Forest/Forest_1.tif": ("Forest",),
        "Water/deep/sea.tif": ("Water",),
        "Water/lake": ("Water",),
    }


def test_what_is_in_no_class_folder_is_said(tmp_path):
    class_folders(tmp_path, {"Forest": 1, "Water": 1})
    image(tmp_path / "loose.tif")
    (tmp_path / "notes").mkdir()
    assert read(tmp_path).notes == (
        "left out: 1 folder without images (notes)",
        "left out: 1 image in no class folder (loose.tif)",
    )


def test_parts_are_folders_above_the_classes(tmp_path):
    for part in ("Training", "validation", "test"):
        class_folders(tmp_path / part, {"a": 1, "b": 1})
    (tmp_path / "docs").mkdir()
    found = read(tmp_path)
    assert {each.split for each in found.samples} == {"train", "val", "test"}
    assert [each.labels for each in found.samples] == [("a",), ("b",)] * 3
    assert found.notes == ("left out: folders that are no part (docs)",)
    shutil.rmtree(tmp_path / "test" / "a")
    shutil.rmtree(tmp_path / "test" / "b")
    with pytest.raises(DataError, match="test: found no image in a class folder"):
        read(tmp_path)


@pytest.mark.parametrize(
    ("images", "masks"), [("images", "masks"), ("IMG", "Labels"), ("s2", "water"), ("input", "gt")]
)
def test_images_and_masks_are_found_by_the_folders_names(tmp_path, images, masks):
    masked(tmp_path)
    (tmp_path / "images").rename(tmp_path / "moved")
    (tmp_path / "moved").rename(tmp_path / images)
    (tmp_path / "masks").rename(tmp_path / "moved")
    (tmp_path / "moved").rename(tmp_path / masks)
    found = read(tmp_path)
    assert found.target == "mask"
    assert [(each.name, each.mask) for each in found.samples] == [
        (f"{images}/image_{index}.tif", str(tmp_path / masks / f"mask_{index}.tif")) for index in range(3)
    ]


def test_folders_that_are_left_out_are_named(tmp_path):
    masked(tmp_path)
    (tmp_path / "terrain").mkdir()
    assert read(tmp_path).notes == ("masks are those of masks; left out: the folders terrain",)


def test_parts_are_above_or_below_images_and_masks(tmp_path):
    masked(tmp_path / "above" / "train")
    masked(tmp_path / "above" / "val")
    masked(tmp_path / "below")
    for folder in ("images", "masks"):
        whole = tmp_path / "below" / folder
        (whole / "train").mkdir()
        (whole / "test").mkdir()
        for index, file in enumerate(sorted(whole.glob("*.tif"))):
            file.rename(whole / ("test" if index == 0 else "train") / file.name)
    assert [each.split for each in read(tmp_path / "above").samples] == ["train"] * 3 + ["val"] * 3
    assert {each.name: each.split for each in read(tmp_path / "below").samples} == {
        "images/test/image_0.tif": "test",
        "images/train/image_1.tif": "train",
        "images/train/image_2.tif": "train",
    }


def test_the_arguments_name_folders_below_or_beside_the_source(tmp_path):
    masked(tmp_path)
    (tmp_path / "masks").rename(tmp_path / "worldcover")
    below = read(tmp_path, masks="worldcover")
    beside = read(tmp_path / "images", masks="worldcover")
    anywhere = read(tmp_path / "images", masks=str(tmp_path / "worldcover"))
    assert [each.mask for each in below.samples] == [each.mask for each in beside.samples]
    assert anywhere.samples == beside.samples
    with pytest.raises(DataError, match="masks='nothing': does not exist"):
        read(tmp_path, masks="nothing")


def test_pairs(tmp_path):
    pairs(tmp_path)
    found = read(tmp_path)
    assert found.target == "change"
    sample = found.samples[1]
    assert sample.after is not None
    assert (sample.image.paths, sample.after.paths) == (
        (str(tmp_path / "before" / "1.tif"),),
        (str(tmp_path / "after" / "1.tif"),),
    )
    (tmp_path / "before").rename(tmp_path / "images_2019")
    (tmp_path / "after").rename(tmp_path / "images_2020")
    named = read(tmp_path / "images_2019", after="images_2020", masks="masks")
    assert [each.mask for each in named.samples] == [each.mask for each in found.samples]
    with pytest.raises(DataError, match="after='images_2020': found no masks"):
        read(tmp_path / "images_2019", after="images_2020")
    with pytest.raises(DataError, match=r"found images_2019, images_2020 among its folders.*images_2019, with masks="):
        read(tmp_path)


@pytest.mark.parametrize("part", ["", "train"])
@pytest.mark.parametrize(("before", "after"), [("before", "after"), ("T1", "T2")])
def test_pairs_without_masks_are_no_classes(tmp_path, part, before, after):
    pairs(tmp_path / part)
    (tmp_path / part / "before").rename(tmp_path / part / before)
    (tmp_path / part / "after").rename(tmp_path / part / after)
    (tmp_path / part / "masks").rename(tmp_path / part / "floods")
    with pytest.raises(DataError, match=f"found the folders {before} and {after} of pairs.*masks='.*masks'$"):
        read(tmp_path)
    assert read(tmp_path / part / before, after=after, masks="floods").target == "change"


def test_masks_in_jpeg_files_are_refused(tmp_path):
    masked(tmp_path)
    for path in (tmp_path / "masks").iterdir():
        path.rename(path.with_suffix(".JPG"))
    with pytest.raises(DataError, match=r"masks: found 3 JPEG files \(mask_0.JPG.*as JPEG compression changes codes"):
        read(tmp_path)


def test_one_pair_of_files(tmp_path):
    image(tmp_path / "nanjing_2000-05-03.tif")
    image(tmp_path / "nanjing_2002-07-12.tif", 1)
    mask(tmp_path / "nanjing_label.tif")
    found = read(tmp_path / "nanjing_2000-05-03.tif", after="nanjing_2002-07-12.tif", masks="nanjing_label.tif")
    assert (found.target, len(found.samples)) == ("change", 1)


def test_missing_and_unclear_partners_are_one_message(tmp_path):
    pairs(tmp_path, 5)
    for path in ("masks/1.tif", "masks/2.tif", "after/3.tif"):
        (tmp_path / path).unlink()
    image(tmp_path / "before" / "4.tiff")
    with pytest.raises(DataError) as caught:
        read(tmp_path)
    for part in (
        "found 2 images without a mask in ",
        ": 1.tif, 2.tif; expected a file of the same name for each",
        "found 1 image without a second image in ",
        "found 2 images with several possible partners in ",
        ": 4.tif, 4.tiff; ",
    ):
        assert part in str(caught.value)


def test_masks_and_second_images_that_are_left_over_are_a_note(tmp_path):
    pairs(tmp_path, 3)
    (tmp_path / "before" / "2.tif").unlink()
    assert read(tmp_path).notes == (
        "left out: 1 mask without image (2.tif)",
        "left out: 1 second image without first image (2.tif)",
    )


def test_several_folders_of_masks_are_refused(tmp_path):
    masked(tmp_path)
    (tmp_path / "labels").mkdir()
    with pytest.raises(DataError, match=r"found the folders masks, labels; .*masks='masks' or masks='labels'"):
        read(tmp_path)


def test_sources_that_are_none_are_refused(tmp_path):
    with pytest.raises(DataError, match="nowhere: does not exist"):
        read(tmp_path / "nowhere")
    with pytest.raises(DataError, match="found no labelled images"):
        read(tmp_path)
    file = image(tmp_path / "a.tif")
    with pytest.raises(
        DataError, match=r"found one file; expected labelled images: a folder with one folder per class"
    ):
        read(file)
    with pytest.raises(DataError, match=r"label='x': found .*expected a table"):
        read(tmp_path, label="x")
    (tmp_path / "images").mkdir()
    (tmp_path / "masks").mkdir()
    with pytest.raises(DataError, match="images: found no image"):
        read(tmp_path)
    image(tmp_path / "images" / "a.tif")
    with pytest.raises(DataError, match="masks: found no mask"):
        read(tmp_path)
