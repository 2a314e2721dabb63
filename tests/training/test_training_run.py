"""A run goes on where it stopped, as if it had not; it refuses what is not its own; nothing held back is trained on."""

import itertools
import json
import os
import shutil
import signal
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from made_runs import (
    COUNTS,
    furthest,
    made_recipe,
    made_shards,
    records_of,
    state_of,
    weights_of,
    without_key_biases,
    written_recipe,
)
from made_training import ALONE, differences
from spectralgpt.bands import BandSet, sensor
from spectralgpt.cli import main
from spectralgpt.data import Loader, open_shards, split
from spectralgpt.disk import locked
from spectralgpt.draws import keys
from spectralgpt.errors import DataError, OptionError, TargetError
from spectralgpt.training import (
    DataChoice,
    DivergedError,
    ModelChoice,
    Recipe,
    RunResult,
    checkpoints,
    read_log,
    run,
    run_training,
    stages,
    validation,
)
from spectralgpt.training.checkpoints import read_extra
from spectralgpt.training.logs import LOG, RunLog
from spectralgpt.training.stage_data import stage_data
from spectralgpt.weights import SpectralGPT

RECIPE = made_recipe(log_every=1)
SHORT = made_recipe(log_every=1, steps=(2, 2))


class Killed(BaseException):
    """As if the process ended here."""


@pytest.fixture(scope="module")
def shards(tmp_path_factory) -> Path:
    return made_shards(tmp_path_factory.mktemp("shards") / "made")


@pytest.fixture(scope="module")
def straight(shards, tmp_path_factory) -> Path:
    """A run from start to end; none of the tests changes it."""
    out = tmp_path_factory.mktemp("straight") / "run"
    assert started(shards, out).finished
    return out


def started(shards: Path, out: Path, recipe: Recipe | None = None, **options) -> RunResult:
    return run_training(recipe or RECIPE, shards, out, device="cpu", **options)


def stopped(shards: Path, out: Path, step: int, recipe: Recipe = RECIPE) -> RunResult:
    """A start of a run, asked to stop while a step is computed."""

    def progress(text: str, done: int, steps: int) -> None:
        if done == step - 1:
            os.kill(os.getpid(), signal.SIGTERM)

    return started(shards, out, recipe, progress=progress)


def assert_same(out: Path, other: Path) -> None:
    """To the last bit: weights, optimizer, average, what was logged, and the weights that users load."""
    assert not differences(state_of(out), state_of(other))
    assert records_of(out) == records_of(other)
    assert weights_of(out) == weights_of(other)
    names = sorted(each.name for each in out.iterdir())
    assert names == [".lock", "checkpoints", "config.json", "images.json", LOG, "pictures", "weights"]
    assert not [each for each in (out / "checkpoints").iterdir() if each.suffix]


# -- going on ----------------------------------------------------------------------------------------------------------


def test_stopped_again_and_again_it_ends_the_same(shards, straight, tmp_path):
    out = tmp_path / "run"
    # in the middle of an epoch; where a checkpoint is due anyway; in the last step of a stage; before the last
    for step in (2, 6, 8, 13):
        result = stopped(shards, out, step)
        assert (result.step, result.steps, result.finished) == (step, 14, False)
        assert result.checkpoint == out / "checkpoints" / f"step-{step:08d}"
        assert result.record["step"] == step
        assert read_extra(result.checkpoint, ALONE) == {"stage": int(step > 8), "step": step}
        assert (result.weights is None) == (step < 8)
    assert "resumed from step-00000008" in result.notes
    # there is nothing to stop at the end
    result = stopped(shards, out, 14)
    assert (result.step, result.finished) == (14, True)
    assert_same(out, straight)


def test_a_finished_run_started_again_does_nothing(shards, straight, tmp_path):
    shutil.copytree(straight, tmp_path / "run")
    result = started(shards, tmp_path / "run")
    assert (result.finished, result.step, result.record["step"]) == (True, 14, 14)
    assert result.record["loss"] == records_of(straight)[-2]["loss"]
    assert_same(tmp_path / "run", straight)


def test_ended_wherever_it_is_it_goes_on(shards, straight, tmp_path, monkeypatch):
    """One run, each of whose starts ends before it does what is named, for the n-th time."""
    out = tmp_path / "run"
    for owner, name, count, newest in (
        (os, "replace", 0, None),  # config.json
        (RunLog, "cut", 0, None),
        (stages, "save_checkpoint", 0, None),  # three steps made and logged
        (stages, "save_checkpoint", 2, 6),  # the first stage made, logged and validated
        (stages, "_save_weights", 0, 8),
        (stages, "at_image", 0, 8),
        (run, "make_optimizer", 1, 8),
        (stages, "save_checkpoint", 1, 9),
        (RunLog, "cut", 0, 9),
        (stages, "_save_weights", 0, 14),
    ):
        with monkeypatch.context() as patch:
            patch.setattr(owner, name, ends(getattr(owner, name), count))
            with pytest.raises(Killed):
                started(shards, out)
        assert [path.name for path in checkpoints(out / "checkpoints")[:1]] == (
            [f"step-{newest:08d}"] if newest else []
        )
    assert started(shards, out).finished
    assert_same(out, straight)


def ends(plain: Callable, count: int) -> Callable:
    """A function whose call after so many is the end."""
    calls = itertools.count()

    def call(*arguments, **options):
        if next(calls) == count:
            raise Killed
        return plain(*arguments, **options)

    return call


def test_a_damaged_checkpoint_costs_the_steps_since_the_one_before(shards, straight, tmp_path):
    shutil.copytree(straight, tmp_path / "run")
    newest, before = checkpoints(tmp_path / "run/checkpoints")
    next(newest.glob("*.distcp")).write_bytes(b"")
    result = started(shards, tmp_path / "run")
    assert any(
        note.startswith(f"{newest}: found") and "The previous checkpoint is used" in note for note in result.notes
    )
    assert f"resumed from {before.name}" in result.notes
    assert_same(tmp_path / "run", straight)


def test_other_machine_settings_change_the_rounding_only(shards, straight, tmp_path):
    """How much is computed at once and who reads it, also from one start to the next."""
    out = tmp_path / "run"
    for step, micro, workers in ((4, 2, 2), (10, 64, 1), (14, 1, 3)):
        stopped(shards, out, step, made_recipe(log_every=1, micro=micro, workers=workers, keep=1))
    assert furthest(records_of(out), records_of(straight)) < 1e-5
    assert furthest(*(without_key_biases(state_of(each)) for each in (out, straight))) < 1e-4
    assert len(checkpoints(out / "checkpoints")) == 1


# -- whose run it is ---------------------------------------------------------------------------------------------------


def test_its_config_starts_the_same_run(shards, straight, tmp_path, monkeypatch, capsys):
    code, out, err = command(
        monkeypatch, capsys, straight / "config.json", "--data", shards, "--out", tmp_path / "other", "--json"
    )
    assert code == 0, err
    reported = json.loads(out.splitlines()[-1])
    assert (reported["finished"], reported["step"], reported["checkpoint"]) == (
        *(True, 14),
        str(tmp_path / "other/checkpoints/step-00000014"),
    )
    assert reported["loss"] == records_of(straight)[-2]["loss"]
    assert reported["val_loss"] == records_of(straight)[-1]["val_loss"]
    assert_same(tmp_path / "other", straight)
    pictures = {path.name for path in (tmp_path / "other/pictures").iterdir()}
    assert pictures == {"step-00000008.png", "step-00000014.png", "loss.png"}


def test_another_recipe_is_refused_and_named(shards, straight):
    recipe = RECIPE
    stages = (recipe.stages[0].but(lr=2e-3), recipe.stages[1])
    for other, found in (
        (replace(recipe, stages=stages), r"stages\.0\.schedule\.lr: 0\.002, was 0\.003"),
        (replace(recipe, seed=4), "seed: 4, was 3"),
        (replace(recipe, stages=recipe.stages[:1]), "stages: "),
        (replace(recipe, held_back=0.3), r"held_back: 0\.3, was 0\.15"),
    ):
        before = {path: path.read_bytes() for path in straight.rglob("*") if path.is_file()}
        with pytest.raises(
            OptionError, match=rf"^{straight}: found a run with other settings \({found}.*; expected the same"
        ):
            started(shards, straight, other)
        assert {path: path.read_bytes() for path in straight.rglob("*") if path.is_file()} == before


def test_other_shards_are_refused_and_the_same_elsewhere_are_not(shards, straight, tmp_path, monkeypatch, capsys):
    other = made_shards(tmp_path / "other", seed=1)
    with pytest.raises(OptionError, match=f"the shards in {other} differ from those at its start"):
        started(other, straight)
    code, _, err = command(monkeypatch, capsys, straight / "config.json", "--data", other, "--out", straight)
    assert code == 2
    assert "differ from those at its start" in err
    assert "Traceback" not in err
    os.symlink(shards, tmp_path / "moved")
    assert started(tmp_path / "moved", straight).finished


def test_what_is_no_run_is_left_alone(shards, tmp_path):
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine/notes.txt").write_text("mine")
    with pytest.raises(TargetError, match="found something that is not a run"):
        started(shards, tmp_path / "mine")
    (tmp_path / "file").write_text("mine")
    with pytest.raises(TargetError, match="found something that is not a run"):
        started(shards, tmp_path / "file")
    assert [path.name for path in (tmp_path / "mine").iterdir()] == ["notes.txt"]


def command(monkeypatch, capsys, *arguments: object) -> tuple[int, str, str]:
    """`spectralgpt pretrain` as the shell would run it: exit code, output, errors."""
    monkeypatch.setattr(sys, "argv", ["spectralgpt", "pretrain", *map(str, arguments)])
    capsys.readouterr()
    with pytest.raises(SystemExit) as ended:
        main()
    return int(ended.value.code or 0), *capsys.readouterr()


# -- a loss that is lost -----------------------------------------------------------------------------------------------


def test_a_loss_that_is_not_finite_names_the_step_and_its_samples(shards, tmp_path, monkeypatch, capsys):
    recipe = made_recipe(held_back=0.0, log_every=4)
    loader = first_loader(shards, recipe)
    # the sample that comes last in the first epoch, among those of the layout whose samples can be broken
    firsts = {name: step for step in reversed(range(loader.steps_per_epoch)) for name in loader.names(step)}
    step, name = max((step, name) for name, step in firsts.items() if "/0-" in name)
    assert step >= 3
    broken = made_shards(tmp_path / "broken", broken=int(name.split("/0-")[1].split(".")[0]))
    with pytest.raises(DivergedError, match=rf"^{tmp_path}/run: stage small, step {step + 1}: found loss") as caught:
        started(broken, tmp_path / "run", recipe)
    assert caught.value.step == step + 1
    report = json.loads((tmp_path / "run/diverged.json").read_text())
    assert (report["stage"], report["step"], report["samples"]) == ("small", step + 1, loader.names(step))
    assert name in report["samples"]
    newest = checkpoints(tmp_path / "run/checkpoints")[0]
    assert read_extra(newest, ALONE)["step"] == step // 3 * 3
    assert f"{newest} is the last good state" in str(caught.value)
    assert all(bool(each.isfinite().all()) for each in state_of(tmp_path / "run")["model"].values())
    assert max(record["step"] for record in read_log(tmp_path / "run/log.jsonl")) <= step

    # it goes on from there, and comes to the same
    written = written_recipe(tmp_path / "recipe.json", recipe)
    code, _, err = command(monkeypatch, capsys, written, "--data", broken, "--out", tmp_path / "run")
    assert code == 2
    assert f"step {step + 1}: found loss" in err
    assert "Traceback" not in err


def test_a_rate_that_is_too_high_is_told_before_anything_is_saved(shards, tmp_path):
    recipe = made_recipe(save_every=1)
    stages = tuple(stage.but(lr=1e18, clip=None) for stage in recipe.stages)
    with pytest.raises(DivergedError, match=r"No state was saved before|is the last good state"):
        started(shards, tmp_path / "run", replace(recipe, stages=stages))
    for path in checkpoints(tmp_path / "run/checkpoints"):
        assert read_extra(path, ALONE)["step"] < 3


def first_loader(shards: Path, recipe: Recipe) -> Loader:
    """As the first stage's."""
    opened = stage_data(recipe.stages[0], shards, recipe.model.config(16).bands, recipe.held_back)
    seed = int(keys(recipe.seed, 0)) >> 1
    return Loader(
        opened.sources, batch=recipe.stages[0].data.batch, micro=3, seed=seed, dates=recipe.stages[0].data.dates
    )


# -- held back ---------------------------------------------------------------------------------------------------------


def test_what_is_held_back_is_validated_and_never_trained_on(shards, straight, tmp_path, monkeypatch):
    seen: dict[str, set[int]] = {"augmented": set(), "centred": set()}
    for owner, name in ((stages, "augmented"), (validation, "centred")):
        monkeypatch.setattr(owner, name, noting(getattr(owner, name), seen[name]))
    out = tmp_path / "run"
    assert started(shards, out, made_recipe(log_every=1, picture_every=4)).finished
    opened = open_shards(shards)
    assert opened.counts == COUNTS
    held = [split.rows(opened, layout, 0.15, held_back=True) for layout in range(3)]
    assert [len(rows) for rows in held] == [4, 2, 0], "the test needs some"
    numbers = set(np.concatenate([rows + sum(COUNTS[:layout]) for layout, rows in enumerate(held)]).tolist())
    assert seen["augmented"] == set(range(sum(COUNTS))) - numbers, "every other sample, as there are several epochs"
    # validation reads by layout, where samples have their number in it
    assert seen["centred"] == {int(row) for rows in held for row in rows}

    # how often it validates changes nothing: the same weights have the same loss
    often, seldom = (
        {r["step"]: r["val_loss"] for r in records_of(each) if "val_loss" in r} for each in (out, straight)
    )
    assert (set(often), set(seldom)) == ({4, 8, 12, 14}, {8, 14})
    assert {step: often[step] for step in seldom} == seldom
    assert not differences(state_of(out), state_of(straight))


def noting(plain: Callable, numbers: set[int]) -> Callable:
    """A function that remembers which samples it was given."""

    def call(samples, *arguments, **options):
        numbers.update(samples.number.tolist())
        return plain(samples, *arguments, **options)

    return call


def test_without_anything_held_back_there_is_no_validation(shards, tmp_path):
    recipe = made_recipe(held_back=0.0, steps=(2, 2))
    assert started(shards, tmp_path / "run", recipe).finished
    assert not any("val_loss" in record for record in records_of(tmp_path / "run"))


def test_the_weights_are_the_average_s_and_load(straight):
    model = SpectralGPT.from_pretrained(straight / "weights")
    state = state_of(straight)
    assert not differences(dict(model.state_dict()), dict(state["average"]))
    assert differences(dict(model.state_dict()), dict(state["model"]))
    assert model.provenance["stages"] == ["small", "larger"]
    assert model.provenance["steps"] == 14
    assert isinstance(state["model"]["decoder.mask_token"], torch.Tensor)


def test_checkpoints_that_somebody_removed_are_missed(shards, straight, tmp_path):
    """A start from the beginning would cut the log, the last that is left of the run."""
    out = tmp_path / "run"
    shutil.copytree(straight, out)
    for path in checkpoints(out / "checkpoints"):
        shutil.rmtree(path)
    before = (out / LOG).read_text()
    with pytest.raises(DataError, match=r"found no checkpoint, although .*log.jsonl names step-00000014"):
        started(shards, out)
    assert (out / LOG).read_text() == before


def test_two_runs_in_one_folder_do_not_mix(shards, straight, tmp_path):
    out = tmp_path / "run"
    shutil.copytree(straight, out)
    lock = locked(out / ".lock")
    assert lock is not None
    with pytest.raises(TargetError, match="another run is already writing to this folder"):
        started(shards, out)
    lock.release()
    assert started(shards, out).finished


# -- models ------------------------------------------------------------------------------------------------------------


def test_weights_to_go_on_from_keep_what_they_are(shards, straight, tmp_path):
    """Their size, bands and units, not those that the recipe says; and what they have learned."""
    weights = SpectralGPT.from_pretrained(straight / "weights")
    choice = ModelChoice("base", place_nodes=None, weights=str(straight / "weights"))
    other = replace(SHORT, seed=9, model=choice)
    started(shards, tmp_path / "run", other)
    model = SpectralGPT.from_pretrained(tmp_path / "run" / "weights")
    assert (model.config, model.normalization) == (weights.config, weights.normalization)
    assert model.provenance["from"]["weights"] == weights.fingerprint()
    assert model.provenance["from"]["recipe"] == "made"
    first, learned = (next(each for each in records_of(out) if "loss" in each) for out in (straight, tmp_path / "run"))
    assert learned["loss"] < 0.9 * first["loss"]


@pytest.mark.parametrize("given", [True, False])
def test_the_papers_models_get_no_dates_and_gsd(given, shards, straight, tmp_path):
    out = straight
    if not given:
        out = tmp_path / "run"
        started(shards, out, replace(SHORT, model=replace(SHORT.model, time_and_scale=False)))
    model = SpectralGPT.from_pretrained(out / "weights")
    for positions in (model.encoder.positions, model.decoder.positions):
        for name in ("season", "scale"):
            assert bool(positions.get_parameter(name).any()) is given


# -- data --------------------------------------------------------------------------------------------------------------


def test_a_source_takes_the_samples_that_it_names(shards):
    bands = RECIPE.model.config(16).bands

    def counts(**choice) -> list[int]:
        stage = RECIPE.stages[0].but(sources=(DataChoice(**choice),))
        (source,) = stage_data(stage, shards, bands, 0.0).sources
        return [len(rows) for rows in source.rows]

    assert counts() == list(COUNTS)
    assert counts(sensors=("landsat8-c2l2",)) == [COUNTS[2]]
    assert counts(least_dates=2) == [COUNTS[1]]
    with pytest.raises(DataError, match=r"no samples for stage small .*expected some of hls-s30, of 1 dates or more"):
        counts(sensors=("hls-s30",))


def test_bands_that_the_model_does_not_know_are_left_out_and_told(shards):
    """A model of one red band; with bands_as they form groups of their own."""
    red = BandSet.native([sensor("s2-l2a").band("B4")], 1)
    stage = RECIPE.stages[0].but(sources=(DataChoice(sensors=("s2-l2a", "landsat8-c2l2")),))
    assert stage_data(stage, shards, red, 0.0).left_out == ()
    vapour = BandSet.native([sensor("s2-l2a").band("B9")], 1)  # Landsat has no such band
    found = stage_data(stage, shards, vapour, 0.0)
    assert [len(rows) for rows in found.sources[0].rows] == list(COUNTS[:2])
    assert found.left_out == (
        f"{shards}: landsat8-c2l2, with bands that the model does not recognize (the setting bands_as=own uses them)",
    )
    own = stage.but(sources=(DataChoice(bands_as="own"),))
    assert [len(rows) for rows in stage_data(own, shards, vapour, 0.0).sources[0].rows] == list(COUNTS)
