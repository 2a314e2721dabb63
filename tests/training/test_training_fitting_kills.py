"""A run that fits a head and is killed ends in the same weights, wherever between its best state, its checkpoints and
its final weights that happens."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from made_fits import fit_recipe, labelled_shards
from made_kills import killed
from made_runs import records_of, state_of, weights_of
from made_training import differences
from spectralgpt.training import run_training, stages
from spectralgpt.training.checkpoints import checkpoints
from spectralgpt.weights import open_weights

SETTINGS: dict[str, Any] = {
    "task__judge_every": 1.0,
    "task__erasing": 0.3,
    "task__cutmix": 1.0,
    "task__drop_path": 0.2,
    "task__balance": 0.5,
    "schedule__lr": 1e-2,
    "schedule__layer_decay": 0.75,
    "machine__save_every": 3,
    "machine__log_every": 2,
    "recipe__ema": 0.8,
}
KINDS = ("class", "mask", "change")


def test_killed_while_fitting_it_ends_in_the_same_weights(tmp_path):
    shards = labelled_shards(tmp_path / "shards", "mask", ignored=3)
    assert killed(tmp_path, shards, "fit", {"target": "mask", "steps": 12, **SETTINGS}, 3, 1)["kills"] >= 3


@pytest.mark.long
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("freeze", [False, True])
def test_killed_at_many_moments_of_fitting_it_ends_in_the_same_weights(kind, freeze, tmp_path):
    shards = labelled_shards(tmp_path / "shards", kind, ignored=3)
    settings = {"target": kind, "steps": 30, **SETTINGS, "task__freeze": freeze}
    assert killed(tmp_path, shards, "fit", settings, 10, 3)["kills"] >= 10


class KilledHereError(BaseException):
    """Where a test ends a run."""


@pytest.fixture(scope="module")
def straight(tmp_path_factory) -> dict[str, tuple[Path, Path]]:
    """Shards, and a run that was not killed."""
    found = {}
    for kind in KINDS:
        folder = tmp_path_factory.mktemp(kind)
        shards = labelled_shards(folder / "shards", kind, ignored=3)
        run_training(recipe_of(kind), shards, folder / "run", device="cpu")
        found[kind] = shards, folder / "run"
    return found


def recipe_of(kind: str) -> Any:
    return fit_recipe(kind, steps=8, **SETTINGS)


def assert_same(out: Path, kind: str, straight: dict[str, tuple[Path, Path]]) -> None:
    """The run, taken up again, ends as the one that was not killed."""
    shards, wanted = straight[kind]
    assert run_training(recipe_of(kind), shards, out, device="cpu").finished
    assert weights_of(out) == weights_of(wanted)
    assert records_of(out) == records_of(wanted)
    assert not differences(state_of(out), state_of(wanted))


@pytest.mark.parametrize(
    ("kind", "before", "number"), [("class", False, 1), ("mask", True, 3), ("mask", False, 3), ("change", True, 1)]
)
def test_killed_between_the_best_state_and_the_next_checkpoint(kind, before, number, straight, monkeypatch, tmp_path):
    """before: while the best state is written, not after it. number: which of the best states; the run is killed before
    the checkpoint that would know of it."""
    written, write = [], stages._write_weights

    def killing(run, state, folder):
        written.append(folder)
        if len(written) < number:
            return write(run, state, folder)
        if before:
            # a part of it
            folder.mkdir(parents=True, exist_ok=True)
            for path in folder.glob("*.safetensors"):
                path.write_bytes(path.read_bytes()[:100])
        else:
            write(run, state, folder)
        raise KilledHereError

    monkeypatch.setattr(stages, "_write_weights", killing)
    with pytest.raises(KilledHereError):
        run_training(recipe_of(kind), straight[kind][0], tmp_path / "run", device="cpu")
    monkeypatch.setattr(stages, "_write_weights", write)
    assert {folder.parent.name for folder in written} == {"best"}
    assert_same(tmp_path / "run", kind, straight)


@pytest.mark.parametrize("kind", ["class", "mask"])
def test_killed_between_the_last_checkpoint_and_the_final_weights(kind, straight, monkeypatch, tmp_path):
    def killing(run, state):
        raise KilledHereError

    save = stages._save_weights
    monkeypatch.setattr(stages, "_save_weights", killing)
    with pytest.raises(KilledHereError):
        run_training(recipe_of(kind), straight[kind][0], tmp_path / "run", device="cpu")
    assert checkpoints(tmp_path / "run/checkpoints")[0].name == "step-00000008"
    assert not (tmp_path / "run/weights").exists()
    monkeypatch.setattr(stages, "_save_weights", save)
    assert_same(tmp_path / "run", kind, straight)


def test_taken_up_at_the_end_of_a_stage_its_best_state_is_still_there(straight, monkeypatch, tmp_path):
    """Although the next stage has already written one of its own."""
    recipe = recipe_of("class")
    (stage,) = recipe.stages
    recipe = replace(recipe, stages=(stage.but(name="head", freeze=True, drop_path=0.0), stage.but(name="all")))
    machine = replace(recipe.machine, save_every=1000)
    recipe = replace(recipe, machine=machine)
    shards, run = straight["class"][0], tmp_path / "run"
    run_training(recipe, shards, tmp_path / "straight", device="cpu")
    write = stages._write_weights

    def killing(of, state, folder):
        write(of, state, folder)
        if folder.name == "stage-2":
            raise KilledHereError

    monkeypatch.setattr(stages, "_write_weights", killing)
    with pytest.raises(KilledHereError):
        run_training(recipe, shards, run, device="cpu")
    first = open_weights(run / "weights").fingerprint()
    # it goes on from the end of the first stage, and saves its weights again
    with pytest.raises(KilledHereError):
        run_training(recipe, shards, run, device="cpu")
    assert open_weights(run / "weights").fingerprint() == first
    monkeypatch.setattr(stages, "_write_weights", write)
    assert run_training(recipe, shards, run, device="cpu").finished
    assert weights_of(run) == weights_of(tmp_path / "straight")
