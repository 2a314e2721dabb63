"""Pixels: what is drawn, weights, strips, and nothing of reported images in a fit."""

from dataclasses import dataclass, field

import numpy as np
import pytest
from sklearn.metrics import f1_score

import spectralgpt.evaluation.dense as dense_module
import spectralgpt.evaluation.pixels as pixels_module
from spectralgpt.errors import DataError
from spectralgpt.evaluation import DenseFeatures, Places, given_parts, methods, run_dense, sample_pixels
from spectralgpt.raster import Window


@dataclass
class MadeImages:
    """Images in memory. windows: all that were asked for."""

    names: list[str]
    labels: list[np.ndarray]
    values: list[np.ndarray]
    flags: list[np.ndarray]
    windows: list[Window] = field(default_factory=list)

    def __len__(self) -> int:
        return len(self.names)

    def name(self, image: int) -> str:
        return self.names[image]

    def shape(self, image: int) -> tuple[int, int]:
        return self.labels[image].shape

    def truth(self, image: int) -> np.ndarray:
        return self.labels[image]

    def features(self, image: int, window: Window) -> np.ndarray:
        self.windows.append(window)
        return self.values[image][window.slices]

    def valid(self, image: int, window: Window) -> np.ndarray:
        return self.flags[image][window.slices]


def made(count: int, share: float, *, seed: int = 0, shape: tuple[int, int] = (40, 50)) -> MadeImages:
    """Images where a share of the pixels is of class 1; some pixels are not labelled, some have no features."""
    random = np.random.default_rng(seed)
    images = MadeImages([f"city{number}" for number in range(count)], [], [], [])
    for _ in range(count):
        label = (random.random(shape) < share).astype(np.int16)
        value = random.normal(size=(*shape, 4)) + 1.2 * label[..., None]
        label[random.random(shape) < 0.1] = -1
        valid = random.random(shape) > 0.1
        value[~valid] = np.nan
        images.labels.append(label)
        images.values.append(value.astype(np.float32))
        images.flags.append(valid)
    return images


def test_drawn_pixels_are_labelled_and_valid_balanced_and_stand_for_all():
    images = made(5, 0.02)
    assert isinstance(images, DenseFeatures)
    found = sample_pixels(images, np.arange(5), 2, 0, budget=500)
    assert np.isfinite(found.features).all()
    for image in range(5):
        for number in (0, 1):
            usable = int(((images.labels[image] == number) & images.flags[image]).sum())
            drawn = (found.image == image) & found.targets.truth[:, number]
            assert drawn.sum() == min(50, usable)
            assert found.targets.weight[drawn].sum() == pytest.approx(usable)
    # 0 of 4 values, mean 0 or 1.2: features belong to the labels
    means = [found.features[found.targets.truth[:, number]].mean() for number in (0, 1)]
    np.testing.assert_allclose(means, [0, 1.2], atol=0.15)


def test_what_is_drawn_of_an_image_does_not_depend_on_the_order_or_on_other_labels():
    images = made(4, 0.3)
    order = [2, 0, 3, 1]
    other = MadeImages(
        *([each[number] for number in order] for each in (images.names, images.labels, images.values, images.flags))
    )
    other.labels[0] = np.zeros_like(other.labels[0])
    one, two = (sample_pixels(each, np.arange(4), 2, 7, budget=200) for each in (images, other))
    for number, name in enumerate(images.names[:2]):
        assert np.array_equal(one.features[one.image == number], two.features[two.image == other.names.index(name)])
    renewed = sample_pixels(images, np.arange(4), 2, 8, budget=200)
    assert not np.array_equal(one.features, renewed.features)
    fewer = sample_pixels(images, np.arange(4), 2, 7, budget=100).features
    assert {tuple(row) for row in fewer} < {tuple(row) for row in one.features}


def test_the_best_method_answers_the_same_alone():
    images = made(4, 0.1)
    split = given_parts(["train", "train", "val", "test"], np.ones((4, 2), bool), ("no", "yes"))
    asked = [methods.find("ridge"), methods.find("knn")]
    both, alone = [], []
    full = run_dense(images, split, asked, "change", ("no", "yes"), both.append, auto=True)
    only = run_dense(images, split, asked, "change", ("no", "yes"), alone.append, only_auto=True)
    assert list(full.choices) == ["ridge", "knn", "auto"]
    assert list(only.choices) == list(only.seconds) == ["auto"]
    assert repr(only.choices["auto"]) == repr(full.choices["auto"])
    for one, other in zip(both, alone, strict=True):
        assert list(other.answered) == list(other.probabilities) == ["auto"]
        assert np.array_equal(one.answered["auto"], other.answered["auto"])
    best = full.choices["auto"][0].method
    assert np.array_equal(both[0].probabilities[best], both[0].probabilities["auto"], equal_nan=True)


def test_strips_cover_an_image_and_change_nothing(monkeypatch):
    images = made(4, 0.1)
    split = given_parts(["train", "train", "val", "test"], np.ones((4, 2), bool), ("no", "yes"))

    def run() -> tuple[np.ndarray, np.ndarray]:
        parts = []
        run_dense(images, split, [methods.find("ridge")], "change", ("no", "yes"), parts.append)
        assert {part.image for part in parts} == {3}
        assert np.array_equal(np.concatenate([part.truth for part in parts]), images.labels[3])
        valid = np.concatenate([part.valid for part in parts])
        assert np.array_equal(valid, images.flags[3])
        likely, answered = (
            np.concatenate([getattr(part, name)["ridge"] for part in parts]) for name in ("probabilities", "answered")
        )
        assert (answered[~valid] == -1).all()
        assert np.isnan(likely[~valid]).all()
        assert set(answered[valid].tolist()) == {0, 1}
        return likely, answered

    whole = run()
    images.windows.clear()
    monkeypatch.setattr(pixels_module, "STRIP", 350)
    small = run()
    assert max(window.height * window.width for window in images.windows) <= 350
    np.testing.assert_allclose(small[0], whole[0], atol=1e-6)
    assert np.array_equal(small[1], whole[1])


def check_that_reported_images_reach_no_fit() -> None:
    split = given_parts(["train", "train", "val", "test"], np.ones((4, 2), bool), ("no", "yes"))
    choices = []
    for wild in (1.0, 1e4):
        images = made(4, 0.1)
        images.values[3] = images.values[3] * np.float32(wild)
        images.labels[3] = np.where(wild > 1, 1 - images.labels[3], images.labels[3]).astype(np.int16)
        images.labels[3][images.labels[3] > 1] = -1
        done = run_dense(images, split, [methods.find("logistic")], "change", ("no", "yes"), lambda part: None)
        choices.append(done.choices["logistic"][0])
    one, other = ((choice.settings, choice.thresholds, choice.score) for choice in choices)
    assert one == other


def test_reported_images_reach_no_fit(monkeypatch):
    check_that_reported_images_reach_no_fit()
    real = dense_module.pixel_pairs
    everything = lambda drawn, each: (real(drawn, each)[0], [(np.arange(len(drawn.image)),) * 2])  # noqa: E731
    monkeypatch.setattr(dense_module, "pixel_pairs", everything)
    monkeypatch.setattr(
        dense_module,
        "sample_pixels",
        lambda dense, images, *rest, **named: sample_pixels(dense, np.arange(4), *rest, **named),
    )
    with pytest.raises(DataError, match="both to choose by and to report: city3"):
        check_that_reported_images_reach_no_fit()
    monkeypatch.setattr(dense_module.Protocol, "check", lambda self, used: None)
    with pytest.raises(AssertionError):
        check_that_reported_images_reach_no_fit()


@pytest.mark.parametrize("name", ["logistic", "ridge"])
def test_rare_change_is_found_in_cities_that_were_left_out(name):
    images = made(8, 0.01, shape=(90, 90))
    truth, answered, half = [], [], []

    def receive(part) -> None:
        counted = part.valid & (part.truth >= 0)
        truth.append(part.truth[counted])
        answered.append(part.answered[name][counted])
        half.append((part.probabilities[name][counted][:, 1] >= 0.5).astype(int))

    done = run_dense(
        images, Places(np.arange(8), "groups"), [methods.find(name)], "change", ("no", "yes"), receive, budget=8000
    )
    assert len(done.choices[name]) == 5
    assert all(len(choice.thresholds) == 1 for choice in done.choices[name])
    chosen, simple = (f1_score(np.concatenate(truth), np.concatenate(each)) for each in (answered, half))
    assert sum(len(each) for each in truth) == sum(
        int((valid & (label >= 0)).sum()) for valid, label in zip(images.flags, images.labels, strict=True)
    )
    assert chosen > simple + 0.05, (chosen, simple)


def test_one_training_image_is_parted_by_rows():
    images = made(2, 0.1)
    split = given_parts(["train", "test"], np.ones((2, 2), bool), ("no", "yes"))
    done = run_dense(images, split, [methods.find("ridge")], "change", ("no", "yes"), lambda part: None)
    (choice,) = done.choices["ridge"]
    assert 0 < choice.thresholds[0] < 1
    assert choice.score > 0.5


def test_a_threshold_on_differences_is_chosen_and_reported():
    images = made(4, 0.05)
    images.values = [value[..., :1] for value in images.values]
    done = run_dense(
        images, Places(np.arange(4), "groups"), [methods.find("threshold")], "change", ("no", "yes"), lambda part: None
    )
    assert {choice.settings["direction"] for choice in done.choices["threshold"]} == {1}


def test_images_without_a_usable_pixel_are_refused():
    images = made(3, 0.1)
    for label in images.labels:
        label[:] = -1
    with pytest.raises(DataError, match="2 images without a pixel that is labelled and valid"):
        sample_pixels(images, np.arange(2), 2)
