"""Weights list the images that they were trained on, and no other; an image is found in that list in any file."""

import json
import os
import shutil
import signal
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from made_rasters import NAMES, land, write

from made_runs import made_recipe, made_shards, weights_of
from spectralgpt.data import open_shards, split
from spectralgpt.data.sample_hashes import sample_hashes
from spectralgpt.data.series import Reading
from spectralgpt.data.sharding import shard
from spectralgpt.evaluation.leaks import seen_share
from spectralgpt.products import open_raster
from spectralgpt.tasks import find
from spectralgpt.training import ModelChoice, Recipe, hashing, run_training
from spectralgpt.training.hashing import IMAGES_FILE
from spectralgpt.weights import SpectralGPT, describe, on_encoder
from spectralgpt.weights.trained_images import TrainedImages

SHORT = made_recipe(steps=(1, 1))
HELD_BACK = 0.4


@pytest.fixture(scope="module")
def shards(tmp_path_factory) -> Path:
    return made_shards(tmp_path_factory.mktemp("shards") / "made")


@pytest.fixture(scope="module")
def straight(shards, tmp_path_factory) -> Path:
    """A run that no test changes."""
    out = tmp_path_factory.mktemp("straight") / "run"
    trained(shards, out)
    return out


@pytest.fixture(scope="module")
def images(tmp_path_factory) -> Path:
    """Ten images of 70 x 61 pixels: six chips of 32 pixels each, the last flush with the end."""
    folder = tmp_path_factory.mktemp("images") / "in"
    folder.mkdir()
    for number in range(10):
        write(folder / f"{number}.tif", land(70, 61, number), names=NAMES, crs=None, transform=None)
    return folder


def trained(shards: Path, out: Path, recipe: Recipe = SHORT, **options) -> SpectralGPT:
    run_training(recipe, shards, out, device="cpu", **options)
    return SpectralGPT.from_pretrained(out / "weights")


def listed(model) -> TrainedImages:
    return TrainedImages.of(model.provenance)


def of_shards(folder: Path, share: float, held_back: bool) -> frozenset[str]:
    shards = open_shards(folder)
    found: set[str] = set()
    for layout in range(len(shards.layouts)):
        found.update(shards.hashes(layout, split.rows(shards, layout, share, held_back=held_back)))
    return frozenset(found)


def assert_lists_what_was_trained_on(shards: Path, out: Path) -> None:
    model = trained(shards, out, made_recipe(steps=(1, 1), held_back=HELD_BACK))
    assert listed(model) == TrainedImages(of_shards(shards, HELD_BACK, False), frozenset({28}))
    assert model.provenance["images"] == sorted(set(model.provenance["images"]))
    held_back = of_shards(shards, HELD_BACK, True)
    assert len(held_back) > 5
    assert held_back.isdisjoint(listed(model).hashes)


def test_weights_list_the_images_trained_on(shards, tmp_path):
    assert_lists_what_was_trained_on(shards, tmp_path / "run")


def test_that_test_notices_held_back_images_in_the_list(shards, tmp_path, monkeypatch):
    def every(stages, data, distribution):
        sources = [source.shards for source in data[0].sources]
        return [(each, layout, np.arange(count)) for each in sources for layout, count in enumerate(each.counts)]

    monkeypatch.setattr(hashing, "_parts", every)
    with pytest.raises(AssertionError):
        assert_lists_what_was_trained_on(shards, tmp_path / "run")


def test_a_resumed_run_reads_the_list_and_saves_the_same_weights(shards, straight, tmp_path, monkeypatch):
    out = tmp_path / "run"

    def stops_while_hashing(text: str, done: int, total: int) -> None:
        if text == "hashing images":
            os.kill(os.getpid(), signal.SIGTERM)

    with pytest.raises(KeyboardInterrupt):
        trained(shards, out, progress=stops_while_hashing)
    assert sorted(each.name for each in out.iterdir()) == [".lock", "config.json", "pictures"]

    def stops_in_the_first_step(text: str, done: int, total: int) -> None:
        if text.startswith("stage 1"):
            os.kill(os.getpid(), signal.SIGTERM)

    run_training(SHORT, shards, out, device="cpu", progress=stops_in_the_first_step)
    monkeypatch.setattr(hashing, "_hashed", None)  # not called again
    trained(shards, out)
    assert weights_of(out) == weights_of(straight)


@pytest.mark.parametrize("content", ["", "[]", '{"shards": "others", "images": ["a"], "chips": []}'])
def test_a_list_that_is_damaged_or_of_other_shards_is_made_again(shards, straight, tmp_path, content):
    shutil.copytree(straight, tmp_path / "run")
    stored = (tmp_path / "run" / IMAGES_FILE).read_text()
    (tmp_path / "run" / IMAGES_FILE).write_text(content)
    trained(shards, tmp_path / "run")
    assert (tmp_path / "run" / IMAGES_FILE).read_text() == stored


def assert_leaks_are_found(images: Path, folder: Path) -> None:
    """A training image in another file, and a chip of one, are seen; another image is not."""
    shard([images], folder / "shards", Reading(32, 0.0, 12), workers=1)
    recipe = made_recipe(steps=(1, 1), held_back=0.0)
    seen = listed(trained(folder / "shards", folder / "run", recipe))
    assert len(seen.hashes) == 60
    order = [3, 0, 12, 1, 2, 4, 11, 5, 6, 7, 8, 9, 10]
    values = land(70, 61, 4)
    files = {
        "again": write(folder / "again.tif", values[order], names=[NAMES[each] for each in order], compress="deflate"),
        "chip": write(folder / "chip.tif", values[:, 32:64, 29:61], names=NAMES, driver="ENVI"),
        "other": write(folder / "other.tif", land(70, 61, 77), names=NAMES),
        "one pixel": write(folder / "one.tif", land(32, 32, 78), names=NAMES),
    }
    hashes = []
    for path in files.values():
        with open_raster(path) as raster:
            hashes.append(sample_hashes(raster, seen.chips))
    assert seen_share(hashes, seen.hashes).indices == (0, 1)


def test_leaks_are_found(images, tmp_path):
    assert_leaks_are_found(images, tmp_path)


def test_that_test_notices_weights_without_the_list(images, tmp_path, monkeypatch):
    monkeypatch.setattr(TrainedImages, "entries", lambda self: {"images": [], "chips": []})
    with pytest.raises(AssertionError):
        assert_leaks_are_found(images, tmp_path)


def test_continued_pretraining_lists_the_images_of_both(straight, tmp_path):
    first = SpectralGPT.from_pretrained(straight / "weights")
    other = made_shards(tmp_path / "other", seed=5)
    continued = replace(SHORT, model=ModelChoice(weights=str(straight / "weights"), place_nodes=None))
    second = trained(other, tmp_path / "second", continued)
    own = of_shards(other, continued.held_back, False)
    assert listed(second).hashes == listed(first).hashes | own
    assert len(own - listed(first).hashes) > 10


def test_derived_models_keep_the_list_and_the_fingerprint_does_not_know_it(straight):
    model = SpectralGPT.from_pretrained(straight / "weights")
    seen, before = listed(model), model.fingerprint()
    assert listed(model.resized(32)) == seen
    head = next(iter(find("classification").heads.values()))
    assert listed(on_encoder(model, "classification", head(classes=3))) == seen
    model.provenance = {"data": "none"}
    assert model.fingerprint() == before


def test_a_card_says_how_many_and_lists_none(straight):
    model = SpectralGPT.from_pretrained(straight / "weights")
    text = str(describe(model))
    assert f"{len(listed(model).hashes)} images, as hashes in config.json, chips of 28 px" in text
    card = (straight / "weights" / "README.md").read_text()
    assert not [each for each in model.provenance["images"] if each in text or each in card]


def test_a_provenance_by_others_is_read_as_far_as_it_goes():
    assert TrainedImages.of({}) == TrainedImages.of({"images": "all", "chips": 64}) == TrainedImages()
    seen = TrainedImages(frozenset("ab"), frozenset({8}), frozenset("b"))
    assert TrainedImages.of(seen.entries()) == seen
    assert TrainedImages.of({"images": ["a"], "labelled_images": ["a", "c", 3]}).labelled == {"a"}
    assert (seen | TrainedImages(frozenset("c")).with_labels()).labelled == {"b", "c"}
    assert "2 images, 1 of them with labels" in str(seen)
    odd = {"images": ["ab", 3, None], "chips": [64, "x", True, -1]}
    assert TrainedImages.of(json.loads(json.dumps(odd))) == TrainedImages(frozenset({"ab"}), frozenset({64}))
