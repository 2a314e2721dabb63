"""What weights are, through the command line."""

import re

import pytest
import torch

from spectralgpt.weights import SpectralGPT


def test_a_folder(weights, spectralgpt):
    model = SpectralGPT.from_pretrained(weights)
    ended = spectralgpt("inspect", weights, "--json")
    assert ended.code == 0, ended.err
    report = ended.json
    assert report["fingerprint"] == model.fingerprint()
    assert report["kind"] == "pretraining"
    assert report["classes"] is None
    assert report["image"] == model.config.image
    assert report["bands"] == list(model.config.bands.names)
    assert report["parameters"] == sum(each.numel() for each in model.parameters())
    shown = spectralgpt("inspect", weights)
    for part in (report["fingerprint"], "standard", "B8A", f"{report['parameters']:,}"):
        assert part in shown.out


@pytest.mark.parametrize("content", [None, b"no weights", b""])
@pytest.mark.parametrize("name", ["a.pth", "scene.tif"])
def test_what_is_neither_weights_nor_an_image(tmp_path, spectralgpt, name, content):
    if content is not None:
        (tmp_path / name).write_bytes(content)
    ended = spectralgpt("inspect", tmp_path / name)
    assert ended.code == 2
    assert name in ended.err
    assert re.search("Check the path|Download it again|Give a raster", ended.err)
    assert "Traceback" not in ended.err


def test_a_folder_of_other_things(tmp_path, spectralgpt):
    (tmp_path / "notes.txt").write_text("nothing")
    ended = spectralgpt("inspect", tmp_path)
    assert ended.code == 2
    assert f"{tmp_path}: found a folder without images" in ended.err


def test_a_folder_with_half_of_the_weights(weights, tmp_path, spectralgpt):
    (tmp_path / "model.safetensors").write_bytes((weights / "model.safetensors").read_bytes())
    ended = spectralgpt("inspect", tmp_path)
    assert ended.code == 2
    assert "found no config.json" in ended.err


def test_a_kind_is_for_checkpoints(scene, spectralgpt):
    for sources in ((scene,), (scene, scene), (f"{scene}@2020-05-02",)):
        ended = spectralgpt("inspect", *sources, "--kind", "change")
        assert ended.code == 2
        assert ended.err == f"{sources[0]}: --kind change is for checkpoints, and this is none. Leave out `kind`.\n"
    assert "nowhere.tif" in spectralgpt("inspect", "nowhere.tif", "--kind", "change").err


def test_an_unknown_kind(weights, spectralgpt):
    ended = spectralgpt("inspect", weights, "--kind", "everything")
    assert ended.code == 2


def test_a_checkpoint_cut_off(tmp_path, spectralgpt):
    torch.save({"model": {"a": torch.zeros(1000)}}, tmp_path / "cut.pth")
    (tmp_path / "cut.pth").write_bytes((tmp_path / "cut.pth").read_bytes()[:2000])
    ended = spectralgpt("inspect", tmp_path / "cut.pth")
    assert ended.code == 2
    assert "cannot be read as a checkpoint" in ended.err


def test_paths_are_absolute_and_a_name_on_the_hub_is_none(weights, spectralgpt, monkeypatch):
    monkeypatch.chdir(weights.parent)
    assert spectralgpt("inspect", weights.name, "--json").json["source"] == str(weights)
    monkeypatch.setattr("spectralgpt.weights.hub.snapshot_download", lambda *_, **__: str(weights))
    assert spectralgpt("inspect", "somebody/model", "--json").json["source"] == "somebody/model"
