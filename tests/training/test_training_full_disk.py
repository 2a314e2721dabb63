"""A full disk: a run keeps its last checkpoint, says what it needs and what is free, and goes on when there is space.

On a real small disk where one can be mounted, and with files that refuse a write everywhere.
"""

import json
import os
import shutil
import sys
from pathlib import Path

import pytest
from made_disks import fill_disk, refusing_writes, small_disk

from made_runs import made_recipe, made_shards, records_of, state_of, weights_of, written_recipe
from made_training import ALONE, differences, made, make_step
from spectralgpt.cli import main
from spectralgpt.errors import TargetError
from spectralgpt.free_space import bytes_below
from spectralgpt.training import checkpoints, read_log, run_training
from spectralgpt.training.checkpoints import checkpoint_bytes, read_extra, save_checkpoint
from spectralgpt.training.ema import Average
from spectralgpt.training.logs import RunLog

BOTH = r"No space left on device\), found \d+ kB free; expected about \d+(\.\d)? [kM]B\. Free some space"


@pytest.fixture(scope="module")
def shards(tmp_path_factory) -> Path:
    return made_shards(tmp_path_factory.mktemp("shards") / "shards")


@pytest.fixture(scope="module")
def straight(shards, tmp_path_factory) -> Path:
    """A run that nothing stopped."""
    out = tmp_path_factory.mktemp("straight") / "run"
    run_training(made_recipe(), shards, out, device="cpu")
    return out


def stepped():
    state = made(0)
    make_step(*state)
    return state


def ended(patch: pytest.MonkeyPatch, *arguments: str) -> int:
    """The exit code of a command."""
    with patch.context() as patched:
        patched.setattr(sys, "argv", ["spectralgpt", *arguments])
        with pytest.raises(SystemExit) as raised:
            main()
    return int(raised.value.code or 0)


# -- checkpoints -------------------------------------------------------------------------------------------------------


def test_the_size_of_a_checkpoint_is_known_before(tmp_path, straight):
    fresh, state = made(0), stepped()
    path = save_checkpoint(tmp_path, 1, *state, {}, ALONE)
    assert 0.97 < checkpoint_bytes(*fresh) / bytes_below(path) < 1.15
    average = Average(state[0], 0.9)
    path = save_checkpoint(tmp_path, 2, *state, {}, ALONE, average)
    assert 0.97 < checkpoint_bytes(*fresh, average) / bytes_below(path) < 1.15


def test_a_checkpoint_on_a_full_disk(tmp_path):
    state = stepped()
    with small_disk(tmp_path / "disk", 2**21) as disk:
        folder = disk / "checkpoints"
        before = save_checkpoint(folder, 1, *state, {"run": 1}, ALONE)
        needed = bytes_below(before)
        # full at once, in the weights, in the optimizer, in the last file
        for left in (0, 4096, needed // 4, needed // 2, needed - 20_000):
            filler = fill_disk(disk, left)
            with pytest.raises(TargetError, match=BOTH) as raised:
                save_checkpoint(folder, 2, *state, {}, ALONE)
            assert "Earlier checkpoints are whole" in str(raised.value)
            assert [each.name for each in folder.iterdir()] == [before.name], "a part of what failed stayed"
            assert read_extra(before, ALONE) == {"run": 1}
            filler.unlink()
        save_checkpoint(folder, 2, *state, {}, ALONE)


def test_a_checkpoint_where_the_disk_refuses_any_byte(tmp_path, monkeypatch):
    """The same where no small disk can be mounted."""
    state = stepped()
    before = save_checkpoint(tmp_path, 1, *state, {"run": 1}, ALONE)
    needed = bytes_below(before)
    for most in (0, 1, needed // 4, needed // 2, needed - 2000, needed - 100):
        with refusing_writes(monkeypatch, tmp_path, most), pytest.raises(TargetError, match="No space left on device"):
            save_checkpoint(tmp_path, 2, *state, {}, ALONE)
        assert [each.name for each in tmp_path.iterdir()] == [before.name]
        assert read_extra(before, ALONE) == {"run": 1}


def test_an_error_that_is_not_the_disks_is_not_hidden(tmp_path, monkeypatch):
    def wrong(*_):
        raise RuntimeError("shapes differ")

    monkeypatch.setattr("torch.save", wrong)
    with pytest.raises(RuntimeError, match="shapes differ"):
        save_checkpoint(tmp_path, 1, *stepped(), {}, ALONE)


# -- a run -------------------------------------------------------------------------------------------------------------


def test_a_run_ends_with_2_and_goes_on_when_there_is_space(tmp_path, monkeypatch, shards, straight, capsys):
    out, recipe = tmp_path / "run", written_recipe(tmp_path / "recipe.json", made_recipe())
    command = ("pretrain", str(recipe), "--data", str(shards), "--out", str(out), "--device", "cpu")
    one = bytes_below(checkpoints(straight / "checkpoints")[0])
    with refusing_writes(monkeypatch, out / "checkpoints", int(2.5 * one)):
        assert ended(monkeypatch, *command) == 2
    said = capsys.readouterr().err
    assert "checkpoints: cannot be written to (No space left on device)" in said
    assert "Traceback" not in said
    assert "3 checkpoints of" in said, "what it will keep is said before it starts"
    assert sorted(path.name for path in (out / "checkpoints").iterdir()) == ["step-00000003", "step-00000006"]
    assert ended(monkeypatch, *command) == 0
    assert not differences(state_of(out), state_of(straight))
    assert records_of(out) == records_of(straight)
    assert weights_of(out) == weights_of(straight)


def test_what_a_killed_run_was_writing_goes_before_anything_is_written(tmp_path, shards, straight):
    """On a disk that this alone fills, a start writes not one kilobyte before it is gone."""
    with small_disk(tmp_path / "disk", 2**23) as disk:
        out = disk / "run"
        run_training(made_recipe(steps=(3, 6)), shards, out, device="cpu")
        shutil.rmtree(out / "checkpoints" / "step-00000009")
        partial = out / "checkpoints" / "step-00000009.partial"
        partial.mkdir()
        (out / "pictures" / "step-00000009.png.partial").write_bytes(b"x")
        (out / ".weights.partial").mkdir()
        fill_disk(disk, 0).rename(partial / "__0_0.distcp")
        run_training(made_recipe(steps=(3, 6)), shards, out, device="cpu")
        assert sorted(each.name for each in out.iterdir()) == [
            *(".lock", "checkpoints", "config.json", "images.json", "log.jsonl", "pictures", "weights")
        ]
        assert not list(out.rglob("*.partial"))


def test_a_disk_without_room_is_refused_before_the_first_step(tmp_path, shards):
    recipe = made_recipe(keep=2)
    said: list[str] = []
    with small_disk(tmp_path / "disk", 2**22) as disk:
        run_training(recipe, shards, disk / "one", device="cpu", announce=said.append)
        held = bytes_below(checkpoints(disk / "one" / "checkpoints")[0])
        assert "3 checkpoints of" in said[0]
        assert "are free" in said[0]
        shutil.rmtree(disk / "one")
        fill_disk(disk, int(2.5 * held))  # two would fit, and not the third, which is written before one goes
        with pytest.raises(
            TargetError, match=r"found \S+ [kM]B free on its disk; expected .*for 3 checkpoints of"
        ) as raised:
            run_training(recipe, shards, disk / "two", device="cpu", announce=said.append)
        assert "machine.keep" in str(raised.value)
        assert not checkpoints(disk / "two" / "checkpoints")
        assert not read_log_if_any(disk / "two")


def read_log_if_any(out: Path) -> list:
    return read_log(out / "log.jsonl") if (out / "log.jsonl").exists() else []


@pytest.mark.parametrize("refused", ["pictures", "log.jsonl"])
def test_a_picture_or_a_log_does_not_stop_a_run(tmp_path, monkeypatch, shards, straight, refused):
    out, said = tmp_path / "run", []
    recipe = made_recipe(picture_every=4)
    with refusing_writes(monkeypatch, out / refused, 300):
        result = run_training(recipe, shards, out, device="cpu", announce=said.append)
    assert result.finished
    assert weights_of(out) == weights_of(straight)
    name = "a picture is missing, and the run goes on" if refused == "pictures" else r"log.jsonl: cannot be written to"
    warned = [each for each in said if name in each]
    assert len(warned) >= 1
    assert set(warned) <= set(result.notes)
    assert not list(out.rglob("*.partial"))
    if refused == "log.jsonl":
        assert any("could not be written" in each for each in result.notes)
        read_log(out / "log.jsonl")  # each line is whole


def test_the_loss_curve_does_not_stop_pretrain(tmp_path, monkeypatch, shards, capsys):
    out, recipe = tmp_path / "run", written_recipe(tmp_path / "recipe.json", made_recipe())
    with refusing_writes(monkeypatch, out / "pictures" / "loss.png.partial", 300):
        command = ("pretrain", str(recipe), "--data", str(shards), "--out", str(out), "--device", "cpu", "--json")
        assert ended(monkeypatch, *command) == 0
    told = capsys.readouterr()
    assert json.loads(told.out.splitlines()[-1])["finished"]
    assert "a picture is missing" in told.err
    assert not list(out.rglob("*.partial"))


# -- the log -----------------------------------------------------------------------------------------------------------


def test_records_wait_for_space_and_lines_stay_whole(tmp_path, monkeypatch):
    warnings: list[str] = []
    log = RunLog(tmp_path, tensorboard=False, warn=warnings.append)
    records = [{"step": float(step), "loss": 0.5} for step in range(4)]
    log.write(records[0])
    for record, most in ((records[1], 0), (records[2], 7)):
        with refusing_writes(monkeypatch, tmp_path, most):
            log.write(record)
        assert read_log(tmp_path / "log.jsonl") == records[:1]
    assert "records are kept in memory until the disk takes them" in warnings[0]
    log.write(records[3])
    log.close()
    assert read_log(tmp_path / "log.jsonl") == records


def test_a_line_that_a_real_disk_takes_in_part_is_cut_off(tmp_path):
    with small_disk(tmp_path / "disk", 2**16) as disk:
        warnings: list[str] = []
        log = RunLog(disk / "run", tensorboard=False, warn=warnings.append)
        log.write({"step": 1.0})
        fill_disk(disk, 0)
        (disk / "run" / "log.jsonl").write_bytes(b'{"step": 1.0}\n' * 290)  # 4060 of the 4096 bytes of its page
        log.write({"step": 2.0, "text": "x" * 500})
        assert os.path.getsize(disk / "run" / "log.jsonl") == 4060
        assert "found 0 kB free" in warnings[0]
        (disk / "filler").unlink()
        log.close()
        assert read_log(disk / "run" / "log.jsonl")[-1]["step"] == 2.0
