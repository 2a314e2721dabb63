"""What a recipe and an estimate of the time are made of: the chips that images with masks are cut into."""

from pathlib import Path

import pytest

from made_finetuning import water_masks
from made_labelled import SENSOR
from spectralgpt.data import open_shards, split
from spectralgpt.progress import silent
from spectralgpt.settings import changed
from spectralgpt.verbs import _time_estimate
from spectralgpt.verbs._fit_data import opened_fit_data
from spectralgpt.verbs._flat_options import default_options
from spectralgpt.verbs._recipes import finetuning_recipe
from spectralgpt.verbs.finetune import finetune


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    """Masks of 24 pixels, and three of 48."""
    folder = water_masks(tmp_path_factory.mktemp("masks"), 12, side=48)
    water_masks(folder, 9, side=24)
    return opened_fit_data(folder, None, None, {**default_options(finetune), "bands": SENSOR}, silent)


def test_images_are_counted_by_the_chips_of_the_usual_side(data, tmp_path):
    train = data.drawn(1.0, 0)
    facts = data.facts(train)
    assert facts.side == 24
    large = sum(int(Path(name).stem) >= 9 for name in data.names(train))
    assert large
    assert facts.images == len(train) + 3 * large
    data.store(train, tmp_path / "shards", facts.side, silent)
    opened = open_shards(tmp_path / "shards")
    stored = sum(len(split.rows(opened, layout, 0.0, held_back=False)) for layout in range(len(opened.layouts)))
    assert facts.images == stored


def test_the_estimate_counts_images_and_not_full_batches(data, tmp_path):
    train = data.drawn(1.0, 0)
    facts = data.facts(train)
    data.store(train, tmp_path / "shards", facts.side, silent)
    recipe = changed(finetuning_recipe("own", facts), ["stages.*.epochs=10", "stages.*.batch=1000"])
    estimate = _time_estimate._scaled(recipe, tmp_path / "shards", image=2.0)
    trained = estimate.steps * estimate.step
    assert trained == pytest.approx(10 * facts.images * 2.0)
