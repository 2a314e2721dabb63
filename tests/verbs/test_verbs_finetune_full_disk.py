"""A full disk under a fine-tuning: one message with both sizes, and the same command ends as if nothing had stopped it.

The run itself is that of `pretrain`, whose cases are in tests/training/test_training_full_disk.py.
"""

import re

import pytest
from made_disks import fill_disk, refusing_writes, small_disk

import spectralgpt as sg
from made_finetuning import OFTEN, same_weights
from made_labelled import SENSOR, metrics
from spectralgpt.errors import TargetError
from spectralgpt.free_space import bytes_below
from spectralgpt.training import checkpoints, read_log

BOTH = r"No space left on device\), found \S+ [kMGT]B free; expected about \S+ [kM]B\. Free some space"


@pytest.fixture
def command(images, weights, tmp_path):
    sets = [word for change in OFTEN for word in ("--set", change)]
    return ("finetune", images, "--out", tmp_path / "out", "--weights", weights, "--bands", SENSOR, *sets)


def test_it_ends_with_2_at_a_checkpoint_and_goes_on(command, whole_fit, tmp_path, monkeypatch, spectralgpt):
    out, (straight, result) = tmp_path / "out", whole_fit
    one = bytes_below(checkpoints(straight / "run" / "checkpoints")[0])
    with refusing_writes(monkeypatch, out / "run" / "checkpoints", int(2.5 * one)):
        ended = spectralgpt(*command)
    assert ended.code == 2, ended.err
    assert re.search(f"checkpoints: cannot be written to .{BOTH}", ended.err)
    assert "Earlier checkpoints are whole" in ended.err
    assert "Traceback" not in ended.err
    assert [each.name for each in checkpoints(out / "run" / "checkpoints")] == ["step-00000004", "step-00000002"]
    again = spectralgpt(*command, "--json")
    assert again.code == 0, again.err
    assert same_weights(out / "weights", straight / "weights")
    assert (again.json["scores"], again.json["fingerprint"]) == (dict(result.scores), result.fingerprint)


def test_the_same_on_a_real_small_disk(images, weights, whole_fit, tmp_path):
    with small_disk(tmp_path / "disk", 2**25) as disk:

        def filled(what: str, done: int, total: int) -> None:
            if what.startswith("stage") and done == 3 and not (disk / "filler").exists():
                fill_disk(disk, 4096)

        how = {"out": disk / "out", "weights": weights, "bands": SENSOR, "set": OFTEN}
        with pytest.raises(TargetError, match=BOTH):
            sg.finetune(images, progress=filled, **how)
        kept = checkpoints(disk / "out" / "run" / "checkpoints")
        assert [each.name for each in kept] == ["step-00000002"]
        assert not list((disk / "out").rglob("*.partial"))
        (disk / "filler").unlink()
        result = sg.finetune(images, **how)
        assert result.fingerprint == whole_fit[1].fingerprint
        assert result.scores == whole_fit[1].scores
        assert same_weights(disk / "out" / "weights", whole_fit[0] / "weights")


@pytest.mark.parametrize(
    "refused",
    [
        *("finetune.json.partial", ".weights.partial", "metrics.json.partial"),
        *(pytest.param(name, marks=pytest.mark.long) for name in ("shards", "run/config.json.partial", "run/best")),
    ],
)
def test_wherever_the_disk_is_full(refused, command, whole_fit, tmp_path, monkeypatch, spectralgpt):
    """What the run, the weights and the report consist of, each refused alone."""
    out, (straight, _) = tmp_path / "out", whole_fit
    with refusing_writes(monkeypatch, out / refused, 100):
        ended = spectralgpt(*command)
    assert ended.code == 2, ended.err
    assert "Traceback" not in ended.err
    assert re.search(r"No space left on device\), found \S+ [kMGT]B free", ended.err)
    assert not list(out.rglob("*.partial"))
    again = spectralgpt(*command)
    assert again.code == 0, again.err
    assert same_weights(out / "weights", straight / "weights")
    assert metrics(out)["scores"] == metrics(straight)["scores"]


@pytest.mark.parametrize("refused", ["fractions", "summary.json.partial"])
def test_what_only_fractions_and_seeds_have(refused, command, tmp_path, monkeypatch, spectralgpt):
    out, more = tmp_path / "out", ("--fraction", 0.5) if refused == "fractions" else ("--seeds", 2)
    with refusing_writes(monkeypatch, out / refused, 10):
        ended = spectralgpt(*command, *more)
    assert ended.code == 2, ended.err
    assert "Traceback" not in ended.err
    assert re.search(r"No space left on device\), found \S+ [kMGT]B free", ended.err)
    assert spectralgpt(*command, *more).code == 0
    assert next(out.glob(f"{refused.removesuffix('.partial')}*")).exists()


@pytest.mark.parametrize("refused", ["pictures", "log.jsonl"])
def test_a_picture_or_a_log_does_not_stop_it(refused, command, whole_fit, tmp_path, monkeypatch, spectralgpt):
    out, (straight, result) = tmp_path / "out", whole_fit
    with refusing_writes(monkeypatch, out / "run" / refused, 300):
        ended = spectralgpt(*command, "--json")
    assert ended.code == 0, ended.err
    assert same_weights(out / "weights", straight / "weights")
    assert ended.json["scores"] == dict(result.scores)
    said = "a picture is missing" if refused == "pictures" else "log.jsonl: cannot be written to"
    assert said in ended.err
    assert not list(out.rglob("*.partial"))
    read_log(out / "run" / "log.jsonl")  # each line is whole
