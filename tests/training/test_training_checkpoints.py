"""Training states: the same to the last bit when loaded, and whole whenever a run is killed."""

import os
import shutil
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest
import torch

from made_training import ALONE, CONFIG, differences, made, make_step
from spectralgpt.errors import DataError, TargetError
from spectralgpt.nn import MaskedAutoencoder, ModelConfig, Size
from spectralgpt.training import make_optimizer
from spectralgpt.training.checkpoints import (
    DamagedError,
    checkpoints,
    load_checkpoint,
    read_extra,
    save_checkpoint,
)
from spectralgpt.training.ema import Average


class Killed(BaseException):
    """As if the process ended here."""


def small() -> tuple[torch.nn.Module, torch.optim.Optimizer]:
    """What is quickly saved."""
    model = torch.nn.Linear(3, 2)
    optimizer = make_optimizer(model, lr=1e-2)
    make_step(model, optimizer)
    return model, optimizer


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


@pytest.mark.parametrize("averaged", [False, True])
def test_a_loaded_state_is_the_same_and_goes_on_the_same(averaged, tmp_path):
    model, optimizer = made(0)
    average = Average(model, 0.9) if averaged else None
    for number in range(3):
        make_step(model, optimizer, number)
        if average:
            average.update(model)
    optimizer.param_groups[0]["lr"] = 0.1 + 0.2
    extra = {"stage": 1, "step": 3, "records": [{"loss": 0.1 + 0.2, "name": "ü"}], "none": None}
    path = save_checkpoint(tmp_path / "new", 3, model, optimizer, extra, ALONE, average)
    assert path == tmp_path / "new" / "step-00000003"
    assert path.is_dir()

    other, its_optimizer = made(1)
    its_average = Average(other, 0.9) if averaged else None
    assert differences(model.state_dict(), other.state_dict())
    assert load_checkpoint(path, other, its_optimizer, ALONE, its_average) == extra
    assert read_extra(path, ALONE) == extra
    assert not differences(model.state_dict(), other.state_dict())
    assert not differences(optimizer.state_dict(), its_optimizer.state_dict())
    if average and its_average:
        assert not differences(average.weights, its_average.weights)
        assert differences(average.weights, dict(model.named_parameters()))
    for each in ((model, optimizer), (other, its_optimizer)):
        make_step(*each, 3)
    assert not differences(model.state_dict(), other.state_dict())
    assert not differences(optimizer.state_dict(), its_optimizer.state_dict())


def test_saving_changes_nothing_not_even_before_the_first_step(tmp_path):
    (model, optimizer), (other, its_optimizer) = made(0), made(0)
    path = save_checkpoint(tmp_path, 0, model, optimizer, {}, ALONE)
    loaded, its = made(1)
    load_checkpoint(path, loaded, its, ALONE)
    for number in range(2):
        for each in ((model, optimizer), (other, its_optimizer), (loaded, its)):
            make_step(*each, number)
    assert not differences(model.state_dict(), other.state_dict())
    assert not differences(optimizer.state_dict(), its_optimizer.state_dict())
    assert not differences(loaded.state_dict(), other.state_dict())
    assert not differences(its.state_dict(), its_optimizer.state_dict())


def test_the_newest_are_kept(tmp_path):
    state = small()
    for step in (1, 5, 20, 100_000_000):
        save_checkpoint(tmp_path, step, *state, {}, ALONE, keep=3)
    assert names(tmp_path) == ["step-00000005", "step-00000020", "step-100000000"]
    assert [path.name for path in checkpoints(tmp_path)] == ["step-100000000", "step-00000020", "step-00000005"]
    assert checkpoints(tmp_path / "nothing") == []


def test_what_a_killed_run_left_is_no_checkpoint_and_goes(tmp_path):
    state = small()
    first = save_checkpoint(tmp_path, 1, *state, {}, ALONE)
    shutil.copytree(first, tmp_path / "step-00000002.partial")
    shutil.copytree(first, tmp_path / "step-00000000.old")
    (tmp_path / "notes").mkdir()
    assert checkpoints(tmp_path) == [first]
    save_checkpoint(tmp_path, 2, *state, {}, ALONE)
    assert names(tmp_path) == ["notes", "step-00000001", "step-00000002"]


def test_whenever_it_ends_the_newest_is_whole_and_none_is_lost(tmp_path, monkeypatch):
    """A save that removes an old one, ended at each of the moments at which the disk changes."""
    state = small()
    for step in (1, 2):
        save_checkpoint(tmp_path / "before", step, *state, {"step": step}, ALONE)
    changes = [(os, "fsync"), (os, "rename"), (shutil, "rmtree"), (Path, "mkdir"), (os, "replace"), (os, "unlink")]

    def saved(folder: Path, ends: int | None) -> int:
        """How many changes it makes; the one numbered `ends` is half made."""
        count = 0

        def counted(plain, name):
            def change(*arguments, **options):
                nonlocal count
                count += 1
                if count - 1 == ends:
                    if name == "rmtree":
                        os.remove(next(Path(arguments[0]).iterdir()))
                    raise Killed
                return plain(*arguments, **options)

            return change

        shutil.copytree(tmp_path / "before", folder)
        with monkeypatch.context() as patch:
            for owner, name in changes:
                patch.setattr(owner, name, counted(getattr(owner, name), name))
            save_checkpoint(folder, 3, *state, {"step": 3}, ALONE, keep=2)
        return count

    moments = saved(tmp_path / "whole", None)
    assert moments >= 8, "a partial folder, its files and itself on the disk, names, and one that goes"
    seen = set()
    for moment in range(moments):
        folder = tmp_path / str(moment)
        with pytest.raises(Killed):
            saved(folder, moment)
        newest = checkpoints(folder)[0]
        step = load_checkpoint(newest, *small(), ALONE)["step"]
        assert newest.name == f"step-{step:08d}"
        assert step in (2, 3)
        assert all(read_extra(path, ALONE) for path in checkpoints(folder))
        seen.add(step)
        # and the next start goes on
        save_checkpoint(folder, 4, *state, {"step": 4}, ALONE, keep=2)
        assert names(folder) == [f"step-{step:08d}", "step-00000004"]
    assert seen == {2, 3}


KILLED = """
    import os, random, signal, sys, time, warnings
    warnings.simplefilter("error")
    from made_training import *
    from spectralgpt.training.checkpoints import checkpoints, load_checkpoint, save_checkpoint

    folder, kills, seed = Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])
    model, optimizer = made(0)
    make_step(model, optimizer)
    begun = time.perf_counter()
    for step in (1, 2):
        save_checkpoint(folder, step, model, optimizer, {"step": step}, ALONE)
    took = (time.perf_counter() - begun) / 2
    random.seed(seed)
    midway = 0
    for _ in range(kills):
        read_end, write_end = os.pipe()
        child = os.fork()
        if not child:
            step = load_checkpoint(checkpoints(folder)[0], model, optimizer, ALONE)["step"]
            while True:
                step += 1
                with torch.no_grad():
                    for each in model.parameters():
                        each.fill_(step)
                save_checkpoint(folder, step, model, optimizer, {"step": step}, ALONE)
                os.write(write_end, b"%d " % step)
        time.sleep(random.uniform(0, 5 * took))
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
        os.close(write_end)
        finished = [int(each) for each in os.read(read_end, 2**16).split()]
        midway += any("." in path.name for path in folder.iterdir())
        newest = checkpoints(folder)[0]
        step = load_checkpoint(newest, model, optimizer, ALONE)["step"]
        assert newest.name == f"step-{step:08d}", (newest, step)
        assert step >= max(finished, default=2), (step, finished)
        assert step <= 2 or all(bool((each == step).all()) for each in model.parameters()), step
    print(midway, step)
"""


def kill(tmp_path: Path, kills: int) -> str:
    paths = os.pathsep.join([str(Path(__file__).parent), *(each for each in sys.path if each)])
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(KILLED), str(tmp_path), str(kills), "0"],
        env=os.environ | {"OMP_NUM_THREADS": "1", "PYTHONPATH": paths},
        capture_output=True,
        text=True,
        timeout=1200,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_killed_at_random_moments(tmp_path):
    kill(tmp_path, 3)


@pytest.mark.long
def test_killed_at_many_moments(tmp_path):
    midway, step = map(int, kill(tmp_path, 60).split())
    assert midway > 5, "kills that hit a save"
    assert step > 2


def test_a_damaged_one_is_named_and_the_one_before_loads(tmp_path):
    state = small()
    before = save_checkpoint(tmp_path, 1, *state, {"step": 1}, ALONE)
    for number, damage in enumerate((flipped, shortened, lost, lost_state, torn_state, foreign_state), start=2):
        path = save_checkpoint(tmp_path, number, *state, {"step": number}, ALONE, keep=9)
        damage(path)
        with pytest.raises(DamagedError, match=rf"^{path}: found .*; expected a whole checkpoint\. Delete"):
            load_checkpoint(path, *small(), ALONE)
        with pytest.raises(DamagedError):
            read_extra(path, ALONE)
    assert load_checkpoint(before, *small(), ALONE) == {"step": 1}


def test_a_run_that_fell_back_replaces_what_is_damaged(tmp_path):
    state = small()
    for step in (1, 2, 3):
        save_checkpoint(tmp_path, step, *state, {"step": step}, ALONE, keep=3)
    for step in (2, 3):
        flipped(tmp_path / f"step-0000000{step}")
    # from 1 on it comes by 2 again; what is behind is damaged, and takes no whole one's place
    path = save_checkpoint(tmp_path, 2, *state, {"step": 2, "again": True}, ALONE, keep=2)
    assert names(tmp_path) == ["step-00000001", "step-00000002"]
    assert read_extra(path, ALONE) == {"step": 2, "again": True}
    # one that is whole stays
    assert save_checkpoint(tmp_path, 2, *state, {}, ALONE) == path
    assert read_extra(path, ALONE) == {"step": 2, "again": True}


def data_file(path: Path) -> Path:
    return next(path.glob("*.distcp"))


def flipped(path: Path) -> None:
    content = bytearray(data_file(path).read_bytes())
    content[len(content) // 2] ^= 1
    data_file(path).write_bytes(content)


def shortened(path: Path) -> None:
    os.truncate(data_file(path), 1000)


def lost(path: Path) -> None:
    data_file(path).unlink()


def lost_state(path: Path) -> None:
    (path / "state.json").unlink()


def torn_state(path: Path) -> None:
    os.truncate(path / "state.json", 20)


def foreign_state(path: Path) -> None:
    (path / "state.json").write_text("[]")


def test_one_of_another_model_is_refused(tmp_path):
    path = save_checkpoint(tmp_path, 1, *made(0), {}, ALONE)
    wider = MaskedAutoencoder(ModelConfig(Size(32, 1, 2, 16, 1, 2), CONFIG.bands))
    deeper = MaskedAutoencoder(ModelConfig(Size(16, 2, 2, 16, 1, 2), CONFIG.bands))
    for model, found in (
        (wider, r"model\.encoder\.\S+ of \(.*\) instead of \("),
        (deeper, r"no model\.encoder\.blocks\.1"),
    ):
        with pytest.raises(DataError, match=found) as refused:
            load_checkpoint(path, model, make_optimizer(model, lr=1e-3), ALONE)
        assert not isinstance(refused.value, DamagedError), "a run must not fall back for it"
    model, optimizer = made(1)
    with pytest.raises(DataError, match=r"no average\."):
        load_checkpoint(path, model, optimizer, ALONE, Average(model, 0.9))


def test_another_version_is_refused(tmp_path):
    path = save_checkpoint(tmp_path, 1, *small(), {}, ALONE)
    state = path / "state.json"
    state.write_text(state.read_text().replace('"version": 1', '"version": 2'))
    with pytest.raises(DataError, match="version 2; expected version 1"):
        read_extra(path, ALONE)


def test_a_disk_that_refuses_is_told(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(TargetError, match=r"file: cannot be written to"):
        save_checkpoint(tmp_path / "file", 1, *made(0), {}, ALONE)


def test_a_full_disk_is_told_and_leaves_the_ones_before(tmp_path, monkeypatch):
    state = small()
    before = save_checkpoint(tmp_path, 1, *state, {}, ALONE)

    def full(handle):
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", full)
        with pytest.raises(TargetError, match="No space left"):
            save_checkpoint(tmp_path, 2, *state, {}, ALONE)
    assert checkpoints(tmp_path) == [before]


def test_the_average_follows_and_is_swapped(tmp_path):
    model, optimizer = made(0)
    average, parts = Average(model, 0.75), {}
    expected = {name: each.detach().clone().double() for name, each in model.named_parameters()}
    for number in range(3):
        make_step(model, optimizer, number)
        average.update(model)
        expected = {n: 0.75 * expected[n] + 0.25 * p.detach().double() for n, p in model.named_parameters()}
    for name, each in expected.items():
        torch.testing.assert_close(average.weights[name].double(), each, rtol=1e-5, atol=1e-6)
    own = {name: each.detach().clone() for name, each in model.named_parameters()}
    with pytest.raises(Killed), average.swapped(model):  # noqa: PT012
        parts = {name: each.detach().clone() for name, each in model.named_parameters()}
        assert all(each.requires_grad for each in model.parameters())
        raise Killed
    assert not differences(parts, average.weights)
    assert not differences(own, {name: each.detach() for name, each in model.named_parameters()})
