"""Images to shards to a model, by the command line."""

import json

import numpy as np
import pytest
from made_rasters import land, write

from spectralgpt import SpectralGPT
from spectralgpt.training import checkpoints, read_log

QUICK = ["--set", "stages.*.steps=4", "--set", "stages.*.batch=2", "--set", "machine.save_every=3"]
"""Of the recipe `smoke`: what a test has time for."""


@pytest.fixture(scope="module")
def images(tmp_path_factory):
    """Two places of two dates, and one of one; the first is cut into four."""
    folder = tmp_path_factory.mktemp("images")
    for place, side in (("a", 80), ("b", 64)):
        for date in ("2020-05-01", "2020-08-02"):
            (folder / place).mkdir(exist_ok=True)
            write(folder / place / f"{date}.tif", land(side, side))
    (folder / "c").mkdir()
    write(folder / "c" / "2020-06-06.tif", land(64, 48))
    return folder


def test_images_to_weights(images, tmp_path, spectralgpt):
    shards, run = tmp_path / "shards", tmp_path / "run"
    stored = spectralgpt("shard", images, "--stack", "--chip", "64", "--bands", "s2-l1c", "--out", shards, "--json")
    assert stored.code == 0, stored.err
    assert stored.json["samples"] == 4 + 1 + 1
    ended = spectralgpt("pretrain", "smoke", "--data", shards, "--out", run, "--json", *QUICK)
    assert ended.code == 0, ended.err
    result = ended.json
    assert (result["step"], result["steps"], result["finished"]) == (8, 8, True)
    assert np.isfinite([result["loss"], result["images_per_second"]]).all()
    assert result["checkpoint"] == str(run / "checkpoints" / "step-00000008")
    assert [path.name for path in checkpoints(run / "checkpoints")] == ["step-00000008", "step-00000006"]
    assert {path.name for path in (run / "pictures").iterdir()} >= {"loss.png"}
    assert read_log(run / "log.jsonl")[-1]["step"] == 8
    model = SpectralGPT.from_pretrained(run / "weights")
    assert model.provenance["stages"] == ["32 px", "64 px, two dates"]
    assert {each.band.sensor for each in model.normalization.statistics} == {"s2-l1c"}
    # what the run wrote is a weights folder as any other
    scene, as_l1c = images / "a" / "2020-05-01.tif", ("--bands", "s2-l1c")
    rebuilt = spectralgpt("reconstruct", scene, tmp_path / "out.tif", *as_l1c, "--weights", run / "weights")
    assert rebuilt.code == 0, rebuilt.err
    # again: nothing is left to do, and it says where it is
    again = spectralgpt("pretrain", "smoke", "--data", shards, "--out", run, "--json", *QUICK)
    assert again.code == 0, again.err
    assert again.json["loss"] == result["loss"]
    # the resolved configuration starts the same run
    other = spectralgpt("pretrain", run / "config.json", "--data", shards, "--out", tmp_path / "other", "--json")
    assert other.code == 0, other.err
    assert other.json["loss"] == result["loss"]
    refused = spectralgpt("pretrain", "smoke", "--data", shards, "--out", run, "--seed", "1", *QUICK)
    assert refused.code == 2
    assert "seed: 1, was 0" in refused.err


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["smoke", "--data", "nowhere", "--out", "run"], "nowhere: does not exist. Make shards"),
        (["smokey", "--data", "images", "--out", "run"], "Did you mean smoke?"),
        (["smoke", "--data", "images", "--out", "run"], "no manifest.json"),
        (["smoke", "--data", "nowhere", "--out", "run", "--set", "stages.0.step=3"], "Did you mean steps?"),
        (["paper-base", "--data", "nowhere", "--out", "run"], "nowhere/fmow-sentinel: does not exist"),
        (
            ["smoke", "--data", "nowhere", "--out", "run", "--set", "model.slots=5"],
            "12 bands do not divide into groups of 5",
        ),
        (["smoke", "--data", "nowhere", "--out", "run", "--set", "model.bands=s9"], "s9"),
        (["smoke", "--data", "nowhere", "--out", "run", "--weights", "nothing.pth"], "nothing.pth"),
        (["here.json", "--data", "nowhere", "--out", "run"], "here.json: found no configuration of a run"),
        (["smoke", "--data", "nowhere", "--out", "run", "--precision", "fp16"], "'--precision': "),
    ],
)
def test_a_mistake_is_one_message_and_leaves_nothing(arguments, message, tmp_path, monkeypatch, spectralgpt):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "images").mkdir()
    (tmp_path / "here.json").write_text(json.dumps({"a": 1}))
    ended = spectralgpt("pretrain", *arguments)
    assert ended.code == 2, ended.err
    assert message in ended.err
    assert not (tmp_path / "run").exists()
