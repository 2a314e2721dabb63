"""A fine-tuning that is killed and continued, refused, or repeated with other seeds and shares."""

import json
import shutil
import signal
import time
from types import SimpleNamespace

import pytest

import spectralgpt as sg
from made_finetuning import OFTEN, SHORT, same_weights, water_masks
from made_labelled import SENSOR, class_folders, refused
from spectralgpt.errors import DataError, OptionError


class KilledError(BaseException):
    """Stands for a kill: nothing is saved."""


@pytest.mark.parametrize("moment", ["sharding 5", "measuring", "stage 3", "stage 8"])
def test_a_killed_run_ends_as_one_that_was_not(moment, images, weights, whole_fit, tmp_path):
    what, _, count = moment.partition(" ")

    def killed(stage: str, done: int, total: int) -> None:
        if stage.startswith(what) and done >= int(count or 0):
            raise KilledError

    how = {"out": tmp_path / "out", "weights": weights, "bands": SENSOR, "set": OFTEN}
    with pytest.raises(KilledError):
        sg.finetune(images, progress=killed, **how)
    assert not (tmp_path / "out" / "weights").exists()
    result = sg.finetune(images, **how)
    out, uninterrupted = whole_fit
    assert result.finished
    assert same_weights(tmp_path / "out" / "weights", out / "weights")
    assert result.scores == uninterrupted.scores
    assert result.fingerprint == uninterrupted.fingerprint
    assert (result.seconds_expected is None) == (what == "stage")


@pytest.mark.parametrize("call", [1, 3, 5])
def test_an_interrupt_while_a_step_is_measured_ends_the_command(
    call, images, weights, whole_fit, tmp_path, monkeypatch
):
    asked = []

    def clock() -> float:
        asked.append(time.perf_counter())
        if len(asked) == call:
            signal.raise_signal(signal.SIGINT)
        return asked[-1]

    how = {"out": tmp_path / "out", "weights": weights, "bands": SENSOR, "set": OFTEN}
    with monkeypatch.context() as patch:
        patch.setattr("spectralgpt.verbs._time_estimate.time", SimpleNamespace(perf_counter=clock))
        with pytest.raises(KeyboardInterrupt):
            sg.finetune(images, **how)
    assert len(asked) >= call
    assert not (tmp_path / "out" / "run").exists()
    assert sg.finetune(images, **how).fingerprint == whole_fit[1].fingerprint


def test_again_it_is_done_and_another_command_is_refused(images, weights, whole_fit, spectralgpt):
    out, result = whole_fit
    again = sg.finetune(images, out=out, weights=weights, bands=SENSOR, set=[*OFTEN, "machine.log_every=2"])
    assert again.scores == result.scores
    sets = [word for change in OFTEN for word in ("--set", change)]
    same = ("finetune", images, "--out", out, "--bands", SENSOR, *sets)
    for words, more in (
        ("recipe.seed: 1, was 0", ("--weights", weights, "--seed", 1)),
        ("fraction: 0.5, was 1.0", ("--weights", weights, "--fraction", 0.5)),
        ('weights: "untrained"', ("--weights", "untrained")),
        ("freeze: true, was false", ("--weights", weights, "--freeze")),
    ):
        refused(spectralgpt, out.parent, ["other settings", words, "choose another folder"], *same, *more)


def test_a_setting_that_is_new_since_then_has_its_default(images, weights, whole_fit, tmp_path):
    """A release that adds one continues what was begun before."""
    before, result = whole_fit
    shutil.copytree(before, tmp_path / "out")
    path = tmp_path / "out" / "finetune.json"
    content = json.loads(path.read_text())
    del content["asked"]["recipe"]["stages"][0]["schedule"]["lr_end"]
    path.write_text(json.dumps(content))
    again = sg.finetune(images, out=tmp_path / "out", weights=weights, bands=SENSOR, set=OFTEN)
    assert again.fingerprint == result.fingerprint


def test_the_same_files_read_in_another_way_are_other_data(images, weights, whole_fit, spectralgpt):
    out, _ = whole_fit
    sets = [word for change in OFTEN for word in ("--set", change)]
    same = ("finetune", images, "--out", out, "--weights", weights, *sets)
    for words, more in (
        ('bands: "eurosat", was "s2-l1c"', ("--bands", "eurosat", "--trust-input")),
        ('nodata: "7"', ("--bands", SENSOR, "--nodata", 7)),
        ("gsd", ("--bands", SENSOR, "--gsd", 20)),
    ):
        refused(spectralgpt, out.parent, ["other settings", words], *same, *more)


def test_the_folder_of_a_fine_tuning_is_not_an_image(whole_fit, tmp_path, spectralgpt):
    out, _ = whole_fit
    refused(spectralgpt, out.parent, ["folder of a fine-tuning", f"Give {out / 'weights'}"], "inspect", out)
    ended = spectralgpt("inspect", out / "weights")
    assert ended.code == 0, ended.err
    (tmp_path / "begun").mkdir()
    shutil.copy(out / "finetune.json", tmp_path / "begun")
    refused(spectralgpt, tmp_path, ["without weights as yet", "continues it"], "inspect", tmp_path / "begun")


def test_the_folder_of_a_fine_tuning_keeps_its_own_report(images, whole_fit, tmp_path, spectralgpt):
    out, _ = whole_fit
    again = ("evaluate", images, "--bands", SENSOR, "--weights", out / "weights", "--overwrite", "--out")
    refused(spectralgpt, out.parent, ["holds a fine-tuning and the report on it"], *again, out)
    (tmp_path / "several" / "seed-0").mkdir(parents=True)
    shutil.copy(out / "finetune.json", tmp_path / "several")
    refused(spectralgpt, tmp_path, ["holds a fine-tuning"], *again, tmp_path / "several" / "seed-0")


def test_other_data_in_the_same_folder_are_refused(weights, whole_fit, tmp_path):
    other = class_folders(tmp_path / "land", {"water": 6, "forest": 5, "town": 6})
    with pytest.raises(OptionError, match="samples and parts"):
        sg.finetune(other, out=whole_fit[0], weights=weights, bands=SENSOR, set=OFTEN)


def test_what_cannot_be_done_is_refused_before_anything_is_written(images, weights, tmp_path, spectralgpt):
    def run(words, *more):
        asked = ("finetune", images, "--out", tmp_path / "out", "--weights", weights)
        refused(spectralgpt, tmp_path, words, *asked, *more)

    run(["fraction 0", "above 0"], "--fraction", 0)
    run(["seeds 0", "1 or more"], "--seeds", 0)
    run(["unknown recipe 'ownn'", "Did you mean own?"], "--bands", SENSOR, "--recipe", "ownn")
    run(["'smoke' is a recipe of pretrain", "verb `pretrain`"], "--bands", SENSOR, "--recipe", "smoke")
    run(["recipe oscd", "'class'", "'change'", "--recipe own"], "--bands", SENSOR, "--recipe", "oscd")
    run(["--device gpu", "cpu, cuda"], "--bands", SENSOR, "--device", "gpu")
    run(["unknown name stages.0.epoch", "Did you mean epochs?"], "--bands", SENSOR, "--set", "stages.0.epoch=1")
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "notes.txt").write_text("mine")
    full = ("finetune", images, "--out", tmp_path / "full", "--weights", weights)
    refused(spectralgpt, tmp_path, ["found notes.txt"], *full)
    refused(
        spectralgpt, tmp_path, ["'eurosat' is a recipe of finetune", "verb `finetune`"],
        "pretrain", "eurosat", "--data", images, "--out", tmp_path / "out",
    )  # fmt: skip


def test_weights_of_an_unknown_size_are_refused_as_that(images, tmp_path):
    with pytest.raises(OptionError, match="untrained:hug: unknown size 'hug'"):
        sg.finetune(images, out=tmp_path / "out", weights="untrained:hug", bands=SENSOR)


@pytest.mark.parametrize("depth", ["out", "new/deep/out"])
def test_what_is_refused_after_the_claim_leaves_nothing_behind(depth, images, weights, tmp_path, monkeypatch):
    def late(*_: object, **__: object) -> None:
        raise DataError(f"{images}: found something wrong", "something right")

    out = tmp_path / depth
    monkeypatch.setattr("spectralgpt.verbs._fitting.fitted", late)
    with pytest.raises(DataError, match="something wrong"):
        sg.finetune(images, out=out, weights=weights, bands=SENSOR, seeds=2, fraction=0.7, set=OFTEN)
    assert not list(tmp_path.iterdir())


def test_own_files_stay_when_a_fine_tuning_is_refused(images, weights, tmp_path, monkeypatch):
    def late(*_: object, **__: object) -> None:
        raise DataError(f"{images}: found something wrong", "something right")

    out = tmp_path / "out"
    out.mkdir()
    (out / ".mine").write_text("mine")
    monkeypatch.setattr("spectralgpt.verbs._fitting.fitted", late)
    with pytest.raises(DataError, match="something wrong"):
        sg.finetune(images, out=out, weights=weights, bands=SENSOR)
    assert [each.name for each in out.iterdir()] == [".mine"]


def test_a_finished_run_survives_what_is_refused_later(weights, whole_fit, images, monkeypatch):
    def late(*_: object, **__: object) -> None:
        raise DataError(f"{images}: found something wrong", "something right")

    monkeypatch.setattr("spectralgpt.verbs._fitting.fitted", late)
    with pytest.raises(DataError, match="something wrong"):
        sg.finetune(images, out=whole_fit[0], weights=weights, bands=SENSOR, set=OFTEN)
    assert (whole_fit[0] / "weights" / "model.safetensors").exists()


def test_the_recipe_of_a_run_serves_other_images_and_classes(images, weights, whole_fit, tmp_path):
    recipe = whole_fit[0] / "run" / "config.json"
    other = class_folders(tmp_path / "two", {"water": 5, "forest": 5})
    result = sg.finetune(other, out=tmp_path / "out", weights=weights, bands=SENSOR, recipe=recipe)
    assert (result.finished, result.counts["classes"]) == (True, 2)
    assert json.loads((tmp_path / "out/run/config.json").read_text())["recipe"]["stages"][0]["schedule"]["epochs"] == 3
    masks = water_masks(tmp_path / "masks", 4)
    with pytest.raises(OptionError, match="labels of the kind 'mask'"):
        sg.finetune(masks, out=tmp_path / "other", weights=weights, bands=SENSOR, recipe=recipe)
    assert not (tmp_path / "other").exists()


def test_images_of_one_class_are_not_trained_on(images, weights, tmp_path):
    with pytest.raises(DataError, match=r"1 image to train on, of the class \w+ only.*larger fraction"):
        sg.finetune(images, out=tmp_path / "out", weights=weights, bands=SENSOR, fraction=0.01)
    assert not (tmp_path / "out").exists()
    result = sg.finetune(images, out=tmp_path / "out", weights=weights, bands=SENSOR, fraction=0.2, set=OFTEN)
    assert any("2 images to train on hold no" in note for note in result.warnings)


def test_images_of_one_place_are_refused(weights, tmp_path):
    near = class_folders(tmp_path / "near", {"water": 3, "forest": 3}, apart=0.001)
    with pytest.raises(DataError, match="one place"):
        sg.finetune(near, out=tmp_path / "out", weights=weights, bands=SENSOR)
    assert not (tmp_path / "out").exists()


def test_fractions_and_seeds(images, weights, tmp_path, spectralgpt):
    out = tmp_path / "out"
    ended = spectralgpt(
        "finetune", images, "--out", out, "--weights", weights, "--fraction", 0.5, "--seeds", 2, "--json", *SHORT
    )
    assert ended.code == 0, ended.err
    found = ended.json
    assert (found["seeds"], found["fraction"], found["counts"]["train"]) == ([0, 1], 0.5, 5)
    assert len(found["runs"]) == 2
    mean = sum(found["runs"]) / 2
    assert found["value"] == pytest.approx(mean)
    assert found["spread"]["accuracy"] == pytest.approx(abs(found["runs"][0] - mean) * 2**0.5)
    lists = [(out / "fractions" / f"seed-{number}.txt").read_text().split() for number in range(2)]
    assert [len(each) for each in lists] == [5, 5]
    assert lists[0] != lists[1]
    for names in lists:
        assert {name.partition("/")[0] for name in names} == {"water", "forest", "town"}
    summary = json.loads((out / "summary.json").read_text())
    assert summary["mean"] == pytest.approx(found["scores"])
    assert (summary["seeds"], summary["runs"]) == ([0, 1], found["runs"])
    for number in range(2):
        own = out / f"seed-{number}"
        numbers = json.loads((own / "metrics.json").read_text())
        assert (numbers["seed"], numbers["fraction"], numbers["parts"]["train"]) == (number, 0.5, 5)
        assert (own / "report.html").exists()
    assert not same_weights(out / "seed-0" / "weights", out / "seed-1" / "weights")


def test_seeds_share_the_stored_images(images, weights, tmp_path):
    result = sg.finetune(
        images,
        out=tmp_path / "out",
        weights=weights,
        bands=SENSOR,
        seeds=2,
        seed=3,
        set=["stages.0.steps=1", "stages.0.epochs=none"],
    )
    assert result.seeds == (3, 4)
    assert (tmp_path / "out" / "shards" / "manifest.json").exists()
    assert not (tmp_path / "out" / "seed-0" / "shards").exists()
    assert "over 2 seeds" in str(result)
