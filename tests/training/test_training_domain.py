"""Weights say which sensors, pixel sizes and dates they were trained on: those of their samples, and no others."""

import os
import signal
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from made_runs import made_recipe, made_shards, weights_of
from spectralgpt.bands import sensor
from spectralgpt.data import open_shards, split
from spectralgpt.data.shards import Shards
from spectralgpt.training import ModelChoice, run_training
from spectralgpt.weights import SpectralGPT, TrainedDomain, describe

SHORT = made_recipe(steps=(1, 1))
NAMES = {name: tuple(band.name for band in sensor(name).bands) for name in ("s2-l2a", "landsat8-c2l2")}


@pytest.fixture(scope="module")
def shards(tmp_path_factory) -> Path:
    return made_shards(tmp_path_factory.mktemp("shards") / "made")


@pytest.fixture(scope="module")
def straight(shards, tmp_path_factory) -> Path:
    out = tmp_path_factory.mktemp("straight") / "run"
    run_training(SHORT, shards, out, device="cpu")
    return out


def domain(out: Path) -> TrainedDomain | None:
    return TrainedDomain.of(SpectralGPT.from_pretrained(out / "weights").provenance)


def trained_sizes(folder: Path, share: float) -> list[float]:
    """The GSDs of the samples that are not held back."""
    opened = open_shards(folder)
    parts = [opened.gsd(i)[split.rows(opened, i, share, held_back=False)] for i in range(len(opened.layouts))]
    return np.concatenate(parts).tolist()


def test_the_record_is_of_the_samples_trained_on(shards, straight):
    found = domain(straight)
    assert found is not None
    sensors = {opened.sensor for opened in open_shards(shards).layouts}
    assert dict(found.sensors) == {name: NAMES[name] for name in sensors if name in dict(found.sensors)}
    assert "s2-l2a" in dict(found.sensors)
    sizes = [each for each in trained_sizes(shards, SHORT.held_back) if np.isfinite(each)]
    if sizes:
        assert found.gsd == (pytest.approx(min(sizes), rel=1e-3), pytest.approx(max(sizes), rel=1e-3))
    assert found.dates == min(2, max(stage.data.dates for stage in SHORT.stages))
    assert str(found) in str(describe(SpectralGPT.from_pretrained(straight / "weights")))
    assert f"| domain | {found} |" in (straight / "weights" / "README.md").read_text()


@pytest.mark.parametrize(
    ("sizes", "expected"),
    [
        ({0: [12.5], 1: [20.0], 2: [30.0]}, (12.5, 30.0)),
        ({0: [np.nan, 9.7261], 1: [np.nan], 2: [30.0]}, (9.726, 30.0)),
        ({0: [np.nan], 1: [np.nan], 2: [np.nan]}, (10.0, 30.0)),  # the finest bands of Sentinel-2 and Landsat
    ],
)
def test_sizes_come_from_the_samples_and_else_from_the_sensor(shards, tmp_path, monkeypatch, sizes, expected):
    def gsd(self: Shards, layout: int) -> np.ndarray:
        return np.resize(np.array(sizes[layout], np.float32), self.counts[layout])

    monkeypatch.setattr(Shards, "gsd", gsd)
    run_training(replace(SHORT, held_back=0.0), shards, tmp_path / "run", device="cpu")
    found = domain(tmp_path / "run")
    assert found is not None
    assert found.gsd == expected
    assert [name for name, _ in found.sensors] == ["landsat8-c2l2", "s2-l2a"]


@pytest.mark.parametrize("share", [0.2, 0.4])
def test_held_back_samples_leave_no_trace(shards, tmp_path, monkeypatch, share):
    held_back = 0

    def gsd(self: Shards, layout: int) -> np.ndarray:
        nonlocal held_back
        rows = split.rows(self, layout, share, held_back=True)
        held_back += len(rows)
        sizes = np.full(self.counts[layout], 20.0, np.float32)
        sizes[rows] = 500.0
        return sizes

    monkeypatch.setattr(Shards, "gsd", gsd)
    run_training(replace(SHORT, held_back=share), shards, tmp_path / "run", device="cpu")
    found = domain(tmp_path / "run")
    assert found is not None
    assert found.gsd == (20.0, 20.0)
    assert held_back > 3


def test_a_resumed_run_saves_the_same_record(shards, straight, tmp_path):
    def stops(text: str, done: int, total: int) -> None:
        if text.startswith("stage 1"):
            os.kill(os.getpid(), signal.SIGTERM)

    run_training(SHORT, shards, tmp_path / "run", device="cpu", progress=stops)
    run_training(SHORT, shards, tmp_path / "run", device="cpu")
    assert weights_of(tmp_path / "run") == weights_of(straight)


@pytest.mark.parametrize("recorded", [True, False])
def test_continued_training_has_the_record_of_both(shards, straight, tmp_path, recorded):
    start = SpectralGPT.from_pretrained(straight / "weights")
    earlier = TrainedDomain((("naip", ("R", "G")),), (0.6, 1.0), 4)
    start.provenance = {**start.provenance, **earlier.entries()}
    if not recorded:
        del start.provenance["trained"]
    start.save_pretrained(tmp_path / "start")
    recipe = replace(SHORT, model=ModelChoice(weights=str(tmp_path / "start"), place_nodes=None))
    run_training(recipe, shards, tmp_path / "second", device="cpu")
    found, own = domain(tmp_path / "second"), domain(straight)
    assert own is not None
    known = earlier if recorded else TrainedDomain.of_normalization(start.normalization)
    assert found == known | own
    if not recorded:
        assert found.gsd is None, "nobody knows the pixel sizes of the start"
