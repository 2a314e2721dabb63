"""Samples as TorchGeo gives them, in place of files."""

import numpy as np
import pytest
import torch
from made_rasters import UTM, land
from rasterio.crs import CRS

from spectralgpt.data.labels import LabelledSet, SampleSet
from spectralgpt.errors import BandError, DataError
from spectralgpt.tasks import Class


class Samples(list):
    """A stand-in for a data set: a list of samples, perhaps with classes."""


class Named(Samples):
    classes = ("sea", "land", "snow")


def picture(seed: int = 0, side: int = 8) -> torch.Tensor:
    """As TorchGeo's data sets give it: stored values as floats."""
    return torch.from_numpy(land(side, side, seed).astype(np.float32))


def labelled(labels, kind=Samples):
    return kind({"image": picture(index), "label": label} for index, label in enumerate(labels))


def masked(masks, kind=Samples):
    return kind({"image": picture(index), "mask": torch.as_tensor(mask)} for index, mask in enumerate(masks))


def stripes(*codes: int, side: int = 8) -> np.ndarray:
    return np.array(codes)[np.add.outer(np.arange(side), np.arange(side)) % len(codes)]


def test_one_label():
    data = SampleSet(labelled([torch.tensor(2), torch.tensor([0]), 1], Named), bands="s2-l1c", gsd=10, split="test")
    assert isinstance(data, LabelledSet)
    assert data.target == "class"
    assert [one.name for one in data.classes] == ["sea", "land", "snow"]
    assert [(each.labels, each.split) for each in data.samples] == [((2,), "test"), ((0,), "test"), ((1,), "test")]
    read = data.read(1)
    assert read.mask is None
    assert read.image.gsd == 10.0
    assert np.allclose(read.image.read().reflectance()[0], land(8, 8, 1) * 1e-4)
    assert data.report.counts == {"test": {"sea": 1, "land": 1, "snow": 1}}


def test_several_labels():
    data = SampleSet(labelled([torch.tensor([1, 0, 1]), torch.tensor([0, 0, 0])], Named), bands="s2-l1c")
    assert data.target == "classes"
    assert [each.labels for each in data.samples] == [(0, 2), ()]
    assert data.report.unlabelled == 0.5


def test_classes_are_given_else_the_data_sets_else_those_that_occur():
    samples = labelled([0, 2])
    assert [one.name for one in SampleSet(samples, bands="s2-l1c").classes] == ["class 0", "class 1", "class 2"]
    given = SampleSet(samples, bands="s2-l1c", classes=("a", Class("b", "#112233"), "c"))
    assert given.classes == (Class("a"), Class("b", "#112233"), Class("c"))


@pytest.mark.parametrize("channel", [False, True])
def test_masks(channel):
    codes = stripes(0, 2, 255)
    data = SampleSet(masked([codes[None] if channel else codes]), bands="s2-l1c", ignore=(255,))
    assert [one.name for one in data.classes] == ["class 0", "class 2"]
    assert np.array_equal(data.read(0).mask, np.select([codes == 0, codes == 2], [0, 1], -1))
    assert data.report.unlabelled == pytest.approx((codes == 255).mean())


def test_masks_of_a_data_set_with_classes_hold_their_indices():
    data = SampleSet(masked([stripes(0, 2)], Named), bands="s2-l1c")
    assert set(np.unique(data.read(0).mask)) == {0, 2}


def test_change_in_either_form():
    one, two, codes = picture(1), picture(2), stripes(1, 2)
    apart = Samples([{"image1": one, "image2": two, "mask": codes}])
    together = Samples([{"image": torch.stack([one, two]), "mask": codes}])
    for samples in (apart, together):
        data = SampleSet(samples, bands="s2-l1c")
        assert data.target == "change"
        assert [each.name for each in data.classes] == ["no change", "change"]
        read = data.read(0)
        assert np.array_equal(read.image.read().values, torch.stack([one, two]).numpy())
        assert np.array_equal(read.mask, codes - 1)


def test_a_place_comes_with_the_sample():
    place = {"crs": CRS.from_user_input(UTM), "transform": torch.tensor([10.0, 0, 435730, 0, -10, 4179460])}
    samples = Samples({"image": picture(index), "label": index, **place} for index in range(2))
    (sample, _) = SampleSet(samples, bands="s2-l1c").samples
    assert sample.position == pytest.approx((-75.729, 37.760), abs=2e-3)
    assert sample.extent == pytest.approx(4 * 10 * 2**0.5, rel=2e-3)


@pytest.mark.parametrize(
    ("samples", "words"),
    [
        (Samples(), "Samples: found no sample"),
        (Samples([{"image": picture()}]), "sample 0: found image; expected a mapping with"),
        (labelled([0, 1, 7], Named), r"found 1 sample with a label outside the classes: 2 \(7\)"),
        (labelled([0, 1.5]), r"found a label with \[1.5\]"),
        (labelled([torch.tensor([0, 2])]), r"found the labels \[0, 2\]; expected 0 or 1 for each class"),
        (labelled([0, torch.tensor([0, 1])]), "found 2 labels; expected one number"),
        (masked([stripes(0, 1, side=9)]), r"found 1 sample with a mask of another size than its image: 0 \(\(9, 9\)"),
        (masked([stripes(0, 5)], Named), r"found 1 sample with a label outside the classes: 0 \(5\)"),
        (Samples([*labelled([0]), *masked([stripes(0, 1)])]), "found 1 sample without the kind of label.* 1;"),
        (Samples([{"image1": picture(), "image2": picture(1), "mask": stripes(0, 1, 2)}]), "found 3 classes of change"),
    ],
)
def test_samples_that_cannot_be_used_are_refused(samples, words):
    with pytest.raises(DataError, match=words):
        SampleSet(samples, bands="s2-l1c")


def test_bands_and_units_are_checked():
    with pytest.raises(BandError, match=r"\(the same in 1\)"):
        SampleSet(labelled([0, 1]))
    bright = Samples({"image": picture(index) * 100, "label": index} for index in range(3))
    with pytest.raises(DataError, match=r"sample 0: found values .* too bright.*\(the same in 2 more\).*trust_input"):
        SampleSet(bright, bands="s2-l1c")
    assert len(SampleSet(bright, bands="s2-l1c", trust_input=True)) == 3
