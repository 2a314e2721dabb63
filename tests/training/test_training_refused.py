"""What a run cannot use or would destroy is said at its start, with what the user can really do."""

import shutil
from pathlib import Path

import pytest

from made_runs import made_recipe, made_shards
from spectralgpt.errors import TargetError
from spectralgpt.training import checkpoints, run_training
from spectralgpt.training.checkpoints import DamagedError
from spectralgpt.training.logs import LOG
from spectralgpt.verbs._fit_folder import claim_folder

SHORT = made_recipe(log_every=1, steps=(2, 2), save_every=1)


@pytest.fixture(scope="module")
def shards(tmp_path_factory) -> Path:
    return made_shards(tmp_path_factory.mktemp("shards") / "made")


@pytest.fixture(scope="module")
def whole(shards, tmp_path_factory) -> Path:
    """A finished run; none of the tests changes it."""
    out = tmp_path_factory.mktemp("whole") / "run"
    assert started(shards, out).finished
    return out


@pytest.fixture
def out(whole, tmp_path) -> Path:
    shutil.copytree(whole, tmp_path / "run")
    return tmp_path / "run"


def started(shards, out):
    return run_training(SHORT, shards, out, device="cpu")


def cut(checkpoint: Path) -> None:
    next(checkpoint.glob("*.distcp")).write_bytes(b"")


def test_no_checkpoint_is_whole(shards, out):
    newest, before = checkpoints(out / "checkpoints")
    cut(newest)
    cut(before)
    log = (out / LOG).read_bytes()
    with pytest.raises(DamagedError, match="none of its 2 checkpoints is whole") as caught:
        started(shards, out)
    said = str(caught.value)
    assert f"{newest.name}, {before.name}" in said
    assert "previous" not in said
    assert said.endswith(f"start a new run in another folder, which can begin with weights='{out / 'weights'}'")
    assert (out / LOG).read_bytes() == log


def test_the_only_checkpoint_is_damaged_and_there_are_no_weights(shards, out):
    newest, before = checkpoints(out / "checkpoints")
    cut(newest)
    shutil.rmtree(before)
    shutil.rmtree(out / "weights")
    with pytest.raises(DamagedError, match=r"none of its 1 checkpoint is whole .*start a new run in another folder\.$"):
        started(shards, out)


def test_the_one_before_is_taken_and_the_note_asks_for_nothing(shards, out):
    newest, before = checkpoints(out / "checkpoints")
    cut(newest)
    notes = started(shards, out).notes
    assert f"resumed from {before.name}" in notes
    (note,) = (each for each in notes if each.startswith(f"{newest}: found"))
    assert note.endswith("is not as it was written. The previous checkpoint is used.")


@pytest.mark.parametrize("where", ["weights", "best/stage-1"])
@pytest.mark.parametrize("step", ["at the start", "midway"])
def test_a_foreign_file_among_the_weights(shards, out, where, step):
    """Found before a step is made, not when the stage is trained and its weights are to be written."""
    if step == "midway":
        shutil.rmtree(checkpoints(out / "checkpoints")[0])
    (out / where).mkdir(parents=True, exist_ok=True)
    (out / where / "notes.txt").write_text("mine")
    before = {path: path.read_bytes() for path in out.rglob("*") if path.is_file()}
    with pytest.raises(TargetError, match=rf"{where}: found .*notes\.txt.*move what is not weights elsewhere"):
        started(shards, out)
    assert {path: path.read_bytes() for path in out.rglob("*") if path.is_file()} == before


def test_a_foreign_file_among_the_weights_of_a_fine_tuning(tmp_path):
    from spectralgpt.verbs._fit_folder import check_fit_folder

    claim_folder(tmp_path / "fit", {"recipe": {}})
    check_fit_folder(tmp_path / "fit")
    for where in ("weights", "seed-1/weights"):
        (tmp_path / "fit" / where).mkdir(parents=True)
        check_fit_folder(tmp_path / "fit")
        (tmp_path / "fit" / where / "notes.txt").write_text("mine")
        with pytest.raises(TargetError, match=rf"{where}: found notes\.txt"):
            check_fit_folder(tmp_path / "fit")
        shutil.rmtree(tmp_path / "fit" / where)
