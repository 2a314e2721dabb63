"""The logs of a run: every record once, whenever it is killed."""

import importlib.util
import json
import re
import sys
import types

import pytest
from hypothesis import given
from hypothesis import strategies as st

from spectralgpt.errors import DataError, OptionError
from spectralgpt.training import read_log
from spectralgpt.training.logs import RunLog


def record(step: int, **others: object) -> dict[str, object]:
    return {"step": float(step), "loss": 1 / (step + 3), "stage": "one", **others}


def test_records_are_lines_at_once(tmp_path):
    log = RunLog(tmp_path / "run", tensorboard=False)
    for step in (10, 20):
        log.write(record(step))
        # before it is closed: a kill takes none of them
        assert read_log(tmp_path / "run" / "log.jsonl")[-1] == record(step)
    log.close()
    lines = (tmp_path / "run" / "log.jsonl").read_text().splitlines()
    assert [json.loads(line) for line in lines] == [record(10), record(20)]


def test_what_is_not_finite_is_null(tmp_path):
    log = RunLog(tmp_path, tensorboard=False)
    log.write({"step": 1, "loss": float("nan"), "gradient": float("inf")})
    log.close()
    assert (tmp_path / "log.jsonl").read_text() == '{"step": 1, "loss": null, "gradient": null}\n'


@given(cut=st.integers(0, 60), torn=st.integers(0, 80), goes_on=st.booleans())
def test_a_run_that_goes_on_logs_each_step_once(tmp_path_factory, cut, torn, goes_on):
    folder = tmp_path_factory.mktemp("run")
    log = RunLog(folder, tensorboard=False)
    for step in range(10, 60, 10):
        log.write(record(step))
    log.close()
    path = folder / "log.jsonl"
    content = path.read_bytes()
    path.write_bytes(content[: len(content) - torn])
    whole = [each for each in map(record, range(10, 60, 10)) if each in read_log(path)]
    assert len(whole) >= 5 - (torn + 50) // 51
    again = RunLog(folder, tensorboard=False)
    again.cut(cut)
    kept = [each for each in whole if each["step"] <= cut]
    assert read_log(path) == kept
    if goes_on:
        again.write(record(cut + 1))
        again.close()
        assert read_log(path) == [*kept, record(cut + 1)]
    assert [each.name for each in folder.iterdir()] == ["log.jsonl"]


def test_lines_without_a_step_stay(tmp_path):
    log = RunLog(tmp_path, tensorboard=False)
    log.write({"note": "resumed"})
    log.write(record(5))
    log.close()
    again = RunLog(tmp_path, tensorboard=False)
    again.cut(0)
    assert read_log(tmp_path / "log.jsonl") == [{"note": "resumed"}]


@pytest.mark.parametrize("line", ["{torn", "[1, 2]", "3"])
def test_a_log_that_is_none_is_refused(line, tmp_path):
    path = tmp_path / "log.jsonl"
    path.write_text(json.dumps(record(1)) + f"\n{line}\n" + json.dumps(record(2)) + "\n")
    with pytest.raises(DataError, match=rf"^{path}: line 2 is not"):
        read_log(path)


def test_another_process_writes_nothing(tmp_path):
    log = RunLog(tmp_path / "run", writes=False)
    log.cut(0)
    log.write(record(1))
    log.close()
    assert not (tmp_path / "run").exists()


def test_a_folder_that_cannot_be_written_is_warned_of(tmp_path):
    (tmp_path / "run").write_text("a file")
    warnings: list[str] = []
    log = RunLog(tmp_path / "run", tensorboard=False, warn=warnings.append)
    log.write(record(1))
    log.write(record(2))
    log.close()
    assert all(re.search(r"log\.jsonl: cannot be written to", each) for each in warnings[:2])
    assert "the last 2 records could not be written" in warnings[-1]


@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # of TensorBoard's own
def test_tensorboard_gets_the_numbers_and_forgets_those_that_a_kill_left(tmp_path):
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    log = RunLog(tmp_path)
    for step in (10, 20, 30):
        log.write(record(step))
    log.close()
    again = RunLog(tmp_path)
    again.cut(20)
    again.write(record(25))
    again.close()
    events = EventAccumulator(str(tmp_path / "tensorboard"))
    events.Reload()
    assert events.Tags()["scalars"] == ["loss"]
    assert [each.step for each in events.Scalars("loss")] == [10, 20, 25]
    assert events.Scalars("loss")[0].value == pytest.approx(1 / 13)


def test_without_tensorboard_there_are_lines(tmp_path, monkeypatch):
    plain = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if name == "tensorboard" else plain(name))
    log = RunLog(tmp_path)
    log.write(record(1))
    log.close()
    assert [each.name for each in tmp_path.iterdir()] == ["log.jsonl"]


def test_wandb_is_asked_for_where_it_is_not(tmp_path, monkeypatch):
    plain = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if name == "wandb" else plain(name))
    with pytest.raises(OptionError, match=r"^machine\.wandb=project: the package wandb .*pip install wandb"):
        RunLog(tmp_path, wandb="project")


def test_wandb_is_told_the_same_run_when_it_goes_on(tmp_path, monkeypatch):
    started, logged = [], []

    class Run:
        id = "abc123"

        def log(self, numbers, step):
            logged.append((step, numbers))

        def finish(self):
            logged.append("finished")

    def init(**options):
        started.append(options)
        return Run()

    wandb = types.ModuleType("wandb")
    wandb.init = init
    wandb.__spec__ = importlib.util.spec_from_loader("wandb", None)
    monkeypatch.setitem(sys.modules, "wandb", wandb)
    for step in (1, 2):
        log = RunLog(tmp_path, tensorboard=False, wandb="project")
        log.cut(step - 1)
        log.write(record(step))
        log.close()
    assert [(each["project"], each["id"], each["resume"]) for each in started] == [
        ("project", None, None),
        ("project", "abc123", "allow"),
    ]
    assert logged == [(1, {"loss": 1 / 4}), "finished", (2, {"loss": 1 / 5}), "finished"]
