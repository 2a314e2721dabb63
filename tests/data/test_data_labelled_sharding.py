"""Labelled sets in shards: each chip has its image's labels, whatever kills the run; other labels are refused."""

import multiprocessing
import os
import signal
from dataclasses import fields, replace
from pathlib import Path

import numpy as np
import pytest
import torch
from made_rasters import NAMES, land, write

from made_label_sets import GROUPS, SPLITS, MadeLabels, classes_of, holey, killed_labels, made_labels, mask_of, pixels
from made_labels import class_folders, masked, pairs
from spectralgpt import inspect
from spectralgpt import shard as shard_verb
from spectralgpt.data import Layout, Loader, MixtureEntry, Shards, open_shards, shard_labels, split
from spectralgpt.data.chips import place_of
from spectralgpt.data.labels import LabelledImage, LabelledSample, open_labels
from spectralgpt.data.verification import verify_shards
from spectralgpt.errors import DataError, OptionError, RasterError
from spectralgpt.raster import Pixels, Window
from spectralgpt.tasks import Class

KINDS = ("class", "classes", "mask", "change")
SMALL = 60_000
"""Bytes of a shard with few chips."""


def stored(labels: MadeLabels, folder: Path, **how) -> Shards:
    shard_labels(labels, folder, **{"splits": SPLITS, "groups": GROUPS, "chip": 32} | how)
    return open_shards(folder)


def rows_of(shards: Shards) -> dict[tuple[str, str], tuple]:
    """Every sample by name and source: what the shards hold of it."""
    found = {}
    for layout, count in enumerate(shards.counts):
        numbers = np.arange(count)
        samples = shards.read(layout, numbers)
        names = zip(shards.samples(layout), shards.sources(layout, numbers), strict=True)
        for number, key in enumerate(names):
            assert key not in found, "stored twice"
            found[key] = (
                samples.values[number].numpy().tobytes(),
                samples.target[number].numpy().tobytes(),
                samples.extent[number].tolist(),
                shards.splits(layout)[number],
                shards.groups(layout)[number],
                int(shards.places(layout)[number]),
            )
    return found


def corner_of(source: str) -> tuple[int, int]:
    rows, columns = (each.split(" ")[1].split("-")[0] for each in source.rsplit(", ", 2)[1:])
    return int(rows), int(columns)


@pytest.mark.parametrize("classes", [3, 9, 300])
@pytest.mark.parametrize("target", KINDS)
def test_every_chip_has_the_labels_of_its_image(target, classes, tmp_path):
    labels = made_labels(target, classes)
    shards = stored(labels, tmp_path)
    assert shards.manifest.target == target
    assert shards.manifest.classes == labels.classes
    names = [each.name for each in labels.samples]
    seen = {name: np.zeros(labels.images[index].image.shape[2:], int) for index, name in enumerate(names)}
    for number, layout in enumerate(shards.layouts):
        assert (layout.target, layout.classes) == (target, len(labels.classes))
        rows = np.arange(shards.counts[number])
        samples = shards.read(number, rows)
        assert samples.target.dtype == {"class": torch.int64, "classes": torch.bool}.get(target, torch.int16)
        for row, (name, source) in enumerate(zip(shards.samples(number), shards.sources(number, rows), strict=True)):
            index = names.index(name)
            image, mask = labels.images[index].image, labels.images[index].mask
            top, left = corner_of(source)
            height, width = samples.extent[row].tolist()
            seen[name][top : top + height, left : left + width] += 1
            here = (..., slice(top, top + height), slice(left, left + width))
            order = [image.bands.index(band) for band in layout.bands]
            np.testing.assert_array_equal(
                samples.values[row].numpy()[..., :height, :width], image.values[:, order][here]
            )
            np.testing.assert_array_equal(samples.scale[row], image.scale[order])
            assert shards.splits(number)[row] == SPLITS[index]
            assert shards.groups(number)[row] == GROUPS[index]
            if target == "class":
                assert samples.target[row] == labels.samples[index].labels[0]
            elif target == "classes":
                assert tuple(np.flatnonzero(samples.target[row].numpy()).tolist()) == labels.samples[index].labels
                assert samples.target.shape[1] == classes
            else:
                np.testing.assert_array_equal(samples.target[row].numpy()[:height, :width], mask[here])
                padding = samples.target[row].clone()
                padding[:height, :width] = -1
                assert (padding == -1).all()
    # three rows are fewer than an eighth of a chip, so that none is cut for them; an image of one label is whole
    edge = 67 if target in ("class", "classes") else 64
    assert all(count[:edge, :32].all() for count in seen.values())
    assert (seen["folder/0.tif"][edge:] == 0).all()


@pytest.mark.parametrize(("classes", "dtype"), [(2, "uint8"), (254, "uint8"), (255, "uint16"), (1000, "uint16")])
def test_masks_of_many_classes_take_two_bytes(classes, dtype, tmp_path):
    mask = np.arange(32 * 32, dtype=np.int16).reshape(32, 32) % (classes + 1) - 1
    labels = MadeLabels("mask", classes_of(classes), (LabelledSample("a"),), [LabelledImage(pixels(32, 32), mask)])
    shards = stored(labels, tmp_path, splits=["train"], groups=[""])
    np.testing.assert_array_equal(shards.read(0, np.array([0])).target[0], mask)
    assert mask.min() == -1
    (table,) = shards._tables.opened.values()
    assert table.blocks[0].targets.dtype == dtype
    assert mask.max() == classes - 1 or classes == 1000


def test_chips_without_a_labelled_pixel_are_left_out(tmp_path):
    """Six chips: one without a label, one without a valid pixel; an image without any label."""
    mask = mask_of(64, 96, 3)
    mask[:32, 32:64] = -1
    image = holey(pixels(64, 96), slice(32, 64), slice(64, 96))
    nothing = LabelledImage(pixels(32, 32), np.full((32, 32), -1, np.int16))
    labels = MadeLabels(
        "mask", classes_of(3), (LabelledSample("a"), LabelledSample("b")), [LabelledImage(image, mask), nothing]
    )
    how = {"splits": ["train", "val"], "groups": ["", ""], "chip": 32}
    report = shard_labels(labels, tmp_path, **how)
    assert (report.images, report.added, report.left_out) == (2, 4, 3)
    assert report.manifest.skipped == ("b",)
    assert {corner_of(source) for _, source in rows_of(open_shards(tmp_path))} == {(0, 0), (0, 64), (32, 0), (32, 32)}
    again = shard_labels(labels, tmp_path, **how)
    assert again.added == 0
    assert again.manifest == report.manifest


@pytest.mark.parametrize(
    ("shape", "chip", "side", "kept"),
    [
        ((20, 28), 128, 32, (20, 28)),
        ((120, 120), 128, 128, (120, 120)),
        ((130, 100), 128, 160, (130, 100)),
        ((224, 256), 128, 256, (224, 256)),
        ((512, 300), 128, 512, (512, 300)),
        ((600, 516), 128, 512, (512, 512)),
        ((600, 300), 128, 512, (512, 300)),
        ((640, 700), 600, 600, (600, 600)),
    ],
)
def test_an_image_with_one_label_is_one_sample(shape, chip, side, kept, tmp_path):
    image = pixels(*shape, name="naip", dtype="uint8")
    labels = MadeLabels("class", classes_of(2), (LabelledSample("a", (1,)),), [LabelledImage(image)])
    report = shard_labels(labels, tmp_path, splits=[""], groups=[""], chip=chip)
    shards = open_shards(tmp_path)
    assert shards.counts == (1,)
    assert shards.layouts[0].side == side
    samples = shards.read(0, np.array([0]))
    assert samples.extent[0].tolist() == list(kept)
    top, left = (shape[0] - kept[0]) // 2, (shape[1] - kept[1]) // 2
    order = [image.bands.index(band) for band in shards.layouts[0].bands]
    middle = image.values[0, order, top : top + kept[0], left : left + kept[1]]
    np.testing.assert_array_equal(samples.values[0, 0].numpy()[:, : kept[0], : kept[1]], middle)
    assert bool(report.warnings) == (kept != shape)
    assert all("a: only the middle of" in warning for warning in report.warnings)


@pytest.mark.parametrize("target", KINDS)
def test_threads_change_no_byte_and_a_second_run_adds_nothing(target, tmp_path):
    labels = made_labels(target)
    for name, workers in (("one", 1), ("four", 4)):
        report = shard_labels(
            labels, tmp_path / name, splits=SPLITS, groups=GROUPS, chip=32, size=SMALL, workers=workers
        )
        assert (report.images, report.known) == (6, 0)
    one, four = (
        {path.name: path.read_bytes() for path in sorted((tmp_path / name).iterdir())} for name in ("one", "four")
    )
    assert one == four
    assert len(one) > 4
    labels.reads.clear()
    report = shard_labels(labels, tmp_path / "one", splits=SPLITS, groups=GROUPS, chip=32, size=SMALL)
    assert (report.images, report.known, report.added) == (6, 6, 0)
    assert labels.reads == []
    assert one == {path.name: path.read_bytes() for path in sorted((tmp_path / "one").iterdir())}


@pytest.mark.parametrize("target", KINDS)
def test_a_killed_run_goes_on_where_it_was(target, tmp_path):
    out, whole = tmp_path / "out", stored(made_labels(target), tmp_path / "whole", size=SMALL)
    context = multiprocessing.get_context("fork")
    for how, call in (("before", 1), ("before", 2), ("behind", 2), ("behind", 3), ("before", 5)):
        process = context.Process(target=killed_labels, args=(how, call, out, target, SMALL))
        process.start()
        process.join()
        assert process.exitcode == -signal.SIGKILL
    assert open_shards(out).manifest.shards
    stored(made_labels(target), out, size=SMALL)
    assert not list(out.glob("*.partial"))
    assert rows_of(open_shards(out)) == rows_of(whole)
    assert verify_shards(out) == len(list(out.glob("shard-*")))
    for one, other in zip(open_shards(out).manifest.statistics, whole.manifest.statistics, strict=True):
        assert (one.band, one.count, one.low, one.high) == (other.band, other.count, other.low, other.high)


@pytest.mark.parametrize("target", KINDS)
def test_a_lost_manifest_is_restored(target, tmp_path):
    whole = stored(made_labels(target), tmp_path / "out", size=SMALL)
    before = rows_of(whole)
    (tmp_path / "out" / "manifest.json").unlink()
    again = stored(made_labels(target), tmp_path / "out", size=SMALL)
    assert rows_of(again) == before
    assert again.manifest.classes == whole.manifest.classes
    (tmp_path / "out" / "manifest.json").unlink()
    with pytest.raises(DataError, match="chip=32, not chip=64"):
        stored(made_labels(target), tmp_path / "out", chip=64)


def test_samples_that_cannot_be_read_are_listed_and_tried_again(tmp_path):
    labels = made_labels("mask", fails=(1, 3))
    report = shard_labels(labels, tmp_path / "out", splits=SPLITS, groups=GROUPS, chip=32)
    assert [each.source for each in report.manifest.failed] == ["folder/1.tif", "folder/3.tif"]
    assert report.first_failure.reason == "folder/1.tif: cannot be read"
    labels.fails.clear()
    labels.reads.clear()
    report = shard_labels(labels, tmp_path / "out", splits=SPLITS, groups=GROUPS, chip=32)
    assert report.manifest.failed == ()
    assert sorted(labels.reads) == [1, 3]
    assert rows_of(open_shards(tmp_path / "out")) == rows_of(stored(made_labels("mask"), tmp_path / "whole"))
    with pytest.raises(RasterError, match=r"1\.tif: cannot be read"):
        stored(made_labels("mask", fails=(1,)), tmp_path / "strict", strict=True, workers=1)
    assert {name for name, _ in rows_of(open_shards(tmp_path / "strict"))} == {"folder/0.tif"}


def with_label(labels: MadeLabels) -> MadeLabels:
    first = replace(labels.samples[0], labels=((labels.samples[0].labels[0] + 1) % 3,))
    return replace(labels, samples=(first, *labels.samples[1:]))


def with_name(labels: MadeLabels) -> MadeLabels:
    return replace(labels, samples=(replace(labels.samples[0], name="other.tif"), *labels.samples[1:]))


@pytest.mark.parametrize(
    ("labels", "how", "message"),
    [
        (with_label(made_labels("class")), {}, r"the sample folder/0\.tif with another label"),
        (with_name(made_labels("class")), {}, r"the sample folder/0\.tif, which is not among the labels"),
        (made_labels("class"), {"splits": ("test", *SPLITS[1:])}, "in the part 'train', not 'test'"),
        (made_labels("class"), {"groups": ("z", *GROUPS[1:])}, "in the group 'a', not 'z'"),
        (made_labels("class", 4), {}, "the classes class 0, class 1, class 2, not class 0"),
        (made_labels("class"), {"chip": 64}, "chip=32, not chip=64"),
        (made_labels("mask"), {}, "labels of the kind 'class', not 'mask'"),
    ],
)
def test_a_folder_of_other_labels_is_refused(labels, how, message, tmp_path):
    before = stored(made_labels("class"), tmp_path)
    with pytest.raises(DataError, match=message):
        stored(labels, tmp_path, **how)
    assert open_shards(tmp_path).manifest == before.manifest


def test_labels_that_are_not_stored_yet_count_too(tmp_path):
    """A run ended by the second sample: the last one's split is other than before."""
    with pytest.raises(RasterError):
        stored(made_labels("class", fails=(1,)), tmp_path, strict=True, workers=1)
    with pytest.raises(DataError, match="other samples, splits or groups"):
        stored(made_labels("class"), tmp_path, splits=(*SPLITS[:-1], "val"))


def test_labelled_and_other_samples_are_not_mixed(tmp_path):
    write(tmp_path / "a.tif", land(64, 64), names=NAMES)
    shard_verb(tmp_path / "a.tif", out=tmp_path / "plain", chip=32, workers=1)
    with pytest.raises(DataError, match="plain: contains samples without labels"):
        stored(made_labels("class"), tmp_path / "plain")
    stored(made_labels("class"), tmp_path / "labelled")
    with pytest.raises(DataError, match="labelled: contains labelled samples"):
        shard_verb(tmp_path / "a.tif", out=tmp_path / "labelled", chip=32, workers=1)


@pytest.mark.parametrize(
    ("how", "message"),
    [
        ({"splits": SPLITS[1:]}, "splits: found 5 for 6 samples"),
        ({"groups": (*GROUPS, "e")}, "groups: found 7 for 6 samples"),
        ({"splits": ("training", *SPLITS[1:])}, "splits: found training; expected train, val, test or empty"),
        ({"chip": 7}, "chip=7"),
    ],
)
def test_options_that_do_not_fit_leave_nothing_behind(how, message, tmp_path):
    with pytest.raises(OptionError, match=message):
        stored(made_labels("class"), tmp_path / "out", **how)
    assert not (tmp_path / "out").exists()


def test_names_that_sets_share_are_kept_apart(tmp_path):
    labels = made_labels("mask")
    twice = replace(labels, samples=(labels.samples[0],) * 6)
    found = stored(twice, tmp_path, size=SMALL)
    assert sum(found.counts) == sum(stored(labels, tmp_path / "apart").counts)
    report = shard_labels(twice, tmp_path, splits=SPLITS, groups=GROUPS, chip=32)
    assert (report.known, report.added) == (6, 0)


def test_places_are_groups_or_positions(tmp_path):
    samples = (LabelledSample("a", (0,)), LabelledSample("b", (0,), position=(10.0, 50.0)), LabelledSample("c", (0,)))
    images = [LabelledImage(pixels(32, 32, index, placed=index == 0)) for index in range(3)]
    labels = MadeLabels("class", classes_of(2), samples, images)
    shards = stored(labels, tmp_path / "alone", splits=[""] * 3, groups=["", "", ""])
    assert shards.places(0).tolist() == [place_of("cell 377 -758"), place_of("cell 500 100"), place_of("source c")]
    np.testing.assert_allclose(shards.positions(0)[1], (10, 50))
    assert np.isnan(shards.positions(0)[2]).all()
    grouped = stored(labels, tmp_path / "grouped", splits=[""] * 3, groups=["x", "x", "y"])
    assert grouped.places(0).tolist() == [place_of("group x")] * 2 + [place_of("group y")]


@pytest.mark.parametrize("target", KINDS)
def test_the_split_decides_what_is_trained_on(target, tmp_path):
    shards = stored(made_labels(target), tmp_path / "out")
    for share in (0, 0.3):
        for layout in range(len(shards.layouts)):
            parts = np.array(shards.splits(layout))
            trained, held = (split.rows(shards, layout, share, held_back=back) for back in (False, True))
            assert trained.tolist() == np.flatnonzero(parts == "train").tolist()
            assert held.tolist() == np.flatnonzero(parts == "val").tolist()
    without = stored(made_labels(target), tmp_path / "without", splits=[""] * 6)
    assert not without.has_splits
    assert len(split.rows(without, 0, 0, held_back=False)) == without.counts[0]
    both = [np.concatenate([split.rows(without, 0, 0.5, held_back=back) for back in (False, True)])]
    assert sorted(both[0].tolist()) == list(range(without.counts[0]))


@pytest.mark.parametrize("target", KINDS)
def test_parts_and_devices_keep_the_labels(target, tmp_path):
    shards = stored(made_labels(target), tmp_path)
    layout = int(np.argmax(shards.counts))
    samples = shards.read(layout, np.arange(shards.counts[layout]))
    part = samples.part(slice(1, 3), 1)
    assert torch.equal(part.target, samples.target[1:3])
    assert samples.to("meta").target.shape == samples.target.shape
    assert shards.read(layout, np.array([1, 0])).target[0].equal(samples.target[1])


def test_real_files_of_each_kind(tmp_path):
    class_folders(tmp_path / "classes", {"forest": 2, "water": 1})
    masked(tmp_path / "masks", 2, (0, 5, 7))
    pairs(tmp_path / "pairs", 2)
    for name, target, dates in (("classes", "class", 1), ("masks", "mask", 1), ("pairs", "change", 2)):
        labels = open_labels(tmp_path / name).data
        assert labels.target == target
        count = len(labels.samples)
        report = shard_labels(labels, tmp_path / f"{name}-shards", splits=["train"] * count, groups=[""] * count)
        shards = open_shards(tmp_path / f"{name}-shards")
        assert (report.added, shards.layouts[0].dates, shards.layouts[0].side) == (count, dates, 32)
        samples = shards.read(0, np.arange(count))
        assert shards.samples(0) == [each.name for each in labels.samples]
        for index in range(count):
            if target == "class":
                assert samples.target[index] == labels.samples[index].labels[0]
            else:
                np.testing.assert_array_equal(samples.target[index, :16, :16], labels.read(index).mask)


def test_a_changed_label_is_found_by_its_checksum(tmp_path):
    shards = stored(made_labels("mask", 9), tmp_path, splits=["train"] * 6)
    path = tmp_path / shards.manifest.shards[0].file
    content = bytearray(path.read_bytes())
    target = shards.read(0, np.array([0])).target[0].numpy()
    at = content.find(np.where(target < 0, 255, target).astype(np.uint8).tobytes())
    assert at > 0
    content[at] ^= 1
    path.write_bytes(content)
    with pytest.raises(DataError, match=rf"{path.name} \(not the bytes"):
        shard_verb(out=tmp_path, verify=True)


def test_other_classes_are_other_shards(tmp_path):
    one, same, other = (tmp_path / name for name in ("one", "same", "other"))
    labels = made_labels("mask")
    renamed = replace(labels, classes=tuple(Class(f"other {index}") for index in range(3)))
    assert stored(labels, one).fingerprint == stored(labels, same).fingerprint
    assert stored(renamed, other).fingerprint != open_shards(one).fingerprint


def test_a_layout_has_classes_where_it_has_a_target():
    bands = pixels(1, 1).bands
    for target, classes in (("mask", 0), (None, 3), ("class", 40_000)):
        with pytest.raises(ValueError, match="classes for the target"):
            Layout(bands, "uint16", 1, 32, target, classes)


def test_inspect_counts_classes_by_part(tmp_path):
    labels = made_labels("mask")
    stored(labels, tmp_path / "mask")
    found = inspect(tmp_path / "mask")
    assert found.labels.target == "mask"
    rows = rows_of(open_shards(tmp_path / "mask")).values()
    for part in ("train", "val", "test", ""):
        masks = [np.frombuffer(row[1], np.int16) for row in rows if row[3] == part]
        counts = {f"class {number}": sum(int((mask == number).sum()) for mask in masks) for number in range(3)}
        assert found.labels.counts[part] == counts
        assert found.labels.samples[part] == len(masks)
    assert "labels      a mask each; number of classes: 3" in str(found)
    row = next(line for line in str(found).splitlines() if line.startswith("class 2 ")).split()
    assert row[2:] == [str(found.labels.counts[part]["class 2"]) for part in ("train", "val", "test", "")]


def test_inspect_counts_samples_of_classes(tmp_path):
    for target in ("class", "classes"):
        labels = made_labels(target)
        stored(labels, tmp_path / target)
        found = inspect(tmp_path / target).labels
        for part in set(SPLITS):
            given = [sample.labels for sample, split in zip(labels.samples, SPLITS, strict=True) if split == part]
            counts = {f"class {number}": sum(number in each for each in given) for number in range(3)}
            assert found.counts[part] == counts
            assert found.samples[part] == len(given)


@pytest.mark.parametrize("workers", [0, 2])
@pytest.mark.parametrize("target", KINDS)
def test_the_loader_passes_labels_on(target, workers, tmp_path):
    """Each sample of a step has the label that the shards hold for it; order and resume know nothing of labels."""
    shards = stored(made_labels(target), tmp_path)
    layouts = tuple(range(len(shards.layouts)))
    rows = tuple(split.rows(shards, layout, 0, held_back=False) for layout in layouts)
    loader = Loader([MixtureEntry(shards, None, layouts, rows)], batch=3, micro=2, seed=1, workers=workers)
    firsts = np.cumsum([0, *shards.counts])
    steps = loader.steps()
    for number in range(2 * loader.steps_per_epoch):
        step = next(steps)
        later = next(loader.steps(number))
        for samples, again in zip(step.micro, later.micro, strict=True):
            layout = int(np.searchsorted(firsts, int(samples.number[0]), side="right")) - 1
            held = shards.read(layout, samples.number.numpy() - firsts[layout])
            assert torch.equal(samples.target, held.target)
            assert torch.equal(again.target, held.target)
            assert torch.equal(again.key, samples.key)
    steps.close()


class BreakingPixels(Pixels):
    """An image that cannot be read below row 160."""

    def read(self, window: Window | None = None) -> Pixels:
        if window is not None and window.row >= 160:
            raise RasterError("a: cannot be read below row 160")
        return Pixels.read(self, window)


def test_a_large_image_is_stored_in_parts(tmp_path):
    """8 x 8 chips in two parts; the second cannot be read at first."""
    image, mask = pixels(259, 256, name="naip", dtype="uint8"), mask_of(259, 256, 5)
    broken = BreakingPixels(*(getattr(image, each.name) for each in fields(image)))
    how = {"splits": ["train"], "groups": ["x"], "chip": 32}
    first = MadeLabels("mask", classes_of(5), (LabelledSample("a"),), [LabelledImage(broken, mask)])
    report = shard_labels(first, tmp_path, **how)
    assert [each.reason for each in report.manifest.failed] == ["a: cannot be read below row 160"]
    assert report.added == 32
    assert len(report.warnings) == 1
    report = shard_labels(replace(first, images=[LabelledImage(image, mask)]), tmp_path, **how)
    assert (report.known, report.added, report.manifest.failed) == (0, 32, ())
    shards = open_shards(tmp_path)
    samples = shards.read(0, np.arange(64))
    again = np.full((256, 256), -2, np.int16)
    for source, target in zip(shards.sources(0, np.arange(64)), samples.target, strict=True):
        top, left = corner_of(source)
        again[top : top + 32, left : left + 32] = target
    np.testing.assert_array_equal(again, mask[:256])


def test_an_interrupt_keeps_whole_samples(tmp_path):
    def interrupt(stage: str, done: int, total: int) -> None:
        if (stage, done, total) == ("sharding", 3, 6):
            os.kill(os.getpid(), signal.SIGINT)

    before = signal.getsignal(signal.SIGINT)
    with pytest.raises(KeyboardInterrupt):
        stored(made_labels("mask"), tmp_path / "out", progress=interrupt)
    assert signal.getsignal(signal.SIGINT) is before
    assert {name for name, _ in rows_of(open_shards(tmp_path / "out"))} == {f"folder/{index}.tif" for index in range(3)}
    finished = rows_of(stored(made_labels("mask"), tmp_path / "out"))
    assert finished == rows_of(stored(made_labels("mask"), tmp_path / "whole"))
