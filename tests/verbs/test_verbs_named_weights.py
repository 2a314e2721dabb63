"""Commands with weights by name, and with none given."""

import json
import shutil
import subprocess
from pathlib import Path

import pytest

import spectralgpt as sg
from made_labelled import QUICK, SENSOR, class_folders
from spectralgpt.verbs import doctor as doctor_verb
from spectralgpt.weights import SpectralGPT, named

COUNTS = {"water": 4, "forest": 4}


@pytest.fixture
def package(weights, tmp_path, monkeypatch) -> Path:
    """Two versions of tiny are in the package; the working directory is empty."""
    folder = tmp_path / "package"
    for version in (1, 2):
        shutil.copytree(weights, folder / f"tiny-{version}")
    model = SpectralGPT.from_pretrained(weights)
    with_another_norm = model.state_dict()
    with_another_norm["encoder.norm.bias"] = with_another_norm["encoder.norm.bias"] + 0.5
    model.with_tensors(with_another_norm).save_pretrained(folder / "tiny-2")
    monkeypatch.setattr("spectralgpt.weights.named.PACKAGED_FOLDER", folder)
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    return folder


def fingerprint(folder: Path) -> str:
    return SpectralGPT.from_pretrained(folder).fingerprint()


@pytest.fixture
def commands(scene, tmp_path) -> dict[str, tuple]:
    land = class_folders(tmp_path / "land", COUNTS)
    return {
        "embed": ("embed", scene, tmp_path / "map.tif"),
        "embed table": ("embed", scene, tmp_path / "table.csv"),
        "reconstruct": ("reconstruct", scene, tmp_path / "rebuilt.tif"),
        "probe": ("probe", land, "--bands", SENSOR, *QUICK),
        "demo": ("demo", tmp_path / "demo"),
    }


@pytest.mark.parametrize("name", ["embed", "embed table", "reconstruct", "probe"])
def test_without_weights_the_newest_tiny_is_used(package, commands, spectralgpt, name):
    for given, folder in (((), "tiny-2"), (("--weights", "tiny-1"), "tiny-1")):
        ended = spectralgpt(*commands[name], *given, "--overwrite", "--json")
        assert ended.code == 0, ended.err
        assert ended.json["fingerprint"] == fingerprint(package / folder), given
        assert "was taken" not in ended.err


@pytest.mark.parametrize("name", ["embed", "reconstruct", "probe", "demo"])
def test_without_weights_and_without_packaged_ones(commands, spectralgpt, tmp_path, monkeypatch, name):
    monkeypatch.setattr("spectralgpt.weights.named.PACKAGED_FOLDER", tmp_path / "none")
    before = sorted(tmp_path.iterdir())
    ended = spectralgpt(*commands[name])
    assert ended.code == 2
    assert ended.err.startswith("no weights are given, and none come with this version; expected a weights folder")
    assert "--weights weights/" in ended.err
    assert sorted(tmp_path.iterdir()) == before


@pytest.mark.parametrize("name", ["embed", "embed table", "reconstruct", "probe"])
def test_a_folder_with_that_name_is_taken_and_that_is_said(package, weights, commands, spectralgpt, name):
    shutil.copytree(weights, "tiny")
    ended = spectralgpt(*commands[name], "--weights", "tiny", "--json")
    assert ended.code == 0, ended.err
    assert ended.json["fingerprint"] == fingerprint(weights)
    lines = [line for line in ended.err.splitlines() if "tiny: " in line]
    assert len(lines) == 1
    assert lines[0].startswith(f"warning: tiny: {Path('tiny').resolve()} was taken")
    assert lines[0].endswith("tiny-2 is their name, too")


def test_inspect_and_convert_take_names(package, spectralgpt, tmp_path):
    for name, folder in (("tiny", "tiny-2"), ("tiny-1", "tiny-1")):
        ended = spectralgpt("inspect", name, "--json")
        assert ended.code == 0, ended.err
        assert ended.json["fingerprint"] == fingerprint(package / folder)
        assert spectralgpt("convert", name, tmp_path / f"{name} copy").code == 0
        assert fingerprint(tmp_path / f"{name} copy") == fingerprint(package / folder)
    assert "one of: tiny-2, tiny-1" in spectralgpt("inspect", "tiny-7").err
    shutil.copytree(package / "tiny-1", "tiny")
    assert "was taken" in spectralgpt("inspect", "tiny").err
    assert "was taken" in spectralgpt("convert", "tiny", tmp_path / "again").err


def test_a_probe_keeps_the_version(package, commands, spectralgpt, tmp_path):
    assert spectralgpt(*commands["probe"], "--out", tmp_path / "report").code == 0
    assert json.loads((tmp_path / "report" / "probe.json").read_text())["weights"] == "tiny-2"
    shutil.copytree(package / "tiny-1", package / "tiny-3")  # a later version of the package
    land = commands["probe"][1]
    ended = spectralgpt("evaluate", land, "--bands", SENSOR, "--weights", tmp_path / "report", "--json")
    assert ended.code == 0, ended.err
    assert ended.json["fingerprint"] == fingerprint(package / "tiny-2")


def test_evaluate_without_weights_says_that_the_packaged_ones_answer_nothing(package, commands, spectralgpt):
    ended = spectralgpt("evaluate", commands["probe"][1], "--bands", SENSOR)
    assert ended.code == 2
    assert ended.err.startswith("tiny-2: found weights for pretraining, which answer nothing")


@pytest.mark.parametrize("verb", ["embed", "inspect", "convert"])
def test_a_published_checkpoint_that_is_missing(spectralgpt, scene, tmp_path, monkeypatch, verb):
    monkeypatch.setenv("SPECTRALGPT_CACHE", str(tmp_path / "cache"))
    name = "spectralgpt-plus-base"
    arguments = {"embed": (scene, tmp_path / "o.tif", "--weights", name), "inspect": (name,)}
    ended = spectralgpt(verb, *arguments.get(verb, (name, tmp_path / "out")))
    assert ended.code == 2
    assert f"found no SpectralGPT+.pth in {tmp_path / 'cache' / 'weights'}" in ended.err
    assert "https://zenodo.org/records/8412455/files/SpectralGPT+.pth?download=1" in ended.err
    assert "spectralgpt-plus-base@OWNER/NAME" in ended.err


def test_doctor_lists_them(package, monkeypatch, tmp_path):
    monkeypatch.setattr(doctor_verb, "SHAPES_SHOWN", {"tiny": (1, 2, 16, 8)})
    (package / "tiny-1" / "model.safetensors").write_bytes(b"cut")
    first, second = sg.doctor().packaged_weights
    size = sum(each.stat().st_size for each in (package / "tiny-2").iterdir()) / 1e6
    assert first == f"tiny-2 (fingerprint {fingerprint(package / 'tiny-2')[:16]}, {size:.1f} MB)"
    assert second.startswith("tiny-1 (damaged: ")
    assert first in str(sg.doctor())
    monkeypatch.setattr("spectralgpt.weights.named.PACKAGED_FOLDER", tmp_path / "none")
    assert sg.doctor().packaged_weights == ()
    assert "none come with the package" in str(sg.doctor())


@pytest.mark.parametrize("verb", ["embed", "reconstruct", "probe"])
def test_help_names_them(spectralgpt, verb):
    text = "".join(spectralgpt(verb, "--help").out.split())  # lines may break at a hyphen
    for name in ("tiny-2", "spectralgpt-base", "spectralgpt-plus-base"):
        assert name in text


def test_the_package_would_contain_them(root):
    """They lie below the package's folder, and nothing leaves such files out of wheel and sdist."""
    assert root / "src" / "spectralgpt" / "packaged_weights" == named.PACKAGED_FOLDER
    files = [f"src/spectralgpt/packaged_weights/tiny-1/{name}" for name in ("model.safetensors", "config.json")]
    if (root / ".git").exists() and shutil.which("git"):
        left_out = subprocess.run(["git", "check-ignore", *files], cwd=root, capture_output=True, text=True)
        assert left_out.stdout == ""
