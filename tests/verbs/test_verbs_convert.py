"""Weights there and back, through the command line."""

import argparse
import re
import shutil

import golden_numbers as golden
import pytest
import torch
from made_rasters import listing

from spectralgpt.nn import MaskedAutoencoder
from spectralgpt.weights import ChangeDetector, Segmenter, SpectralGPT


def test_released_there_and_back(tmp_path, spectralgpt):
    shapes = golden.load_json("official_keys.json")["models"]["pretrain/mae_vit_base_patch8_96"]["keys"]
    torch.manual_seed(0)
    state = {name: torch.randn(shape) for name, shape in shapes.items()}
    torch.save({"model": state, "epoch": 199, "args": argparse.Namespace(lr=1e-3)}, tmp_path / "SpectralGPT.pth")
    there = spectralgpt("convert", tmp_path / "SpectralGPT.pth", tmp_path / "ours", "--json")
    assert there.code == 0, there.err
    assert (there.json["size"], there.json["image"], there.json["kind"]) == ("base", 96, "pretraining")
    assert listing(tmp_path / "ours") == ["README.md", "config.json", "model.safetensors"]
    back = spectralgpt("convert", tmp_path / "ours", tmp_path / "back.pth", "--json")
    assert back.code == 0, back.err
    assert back.json["fingerprint"] == there.json["fingerprint"]
    again = torch.load(tmp_path / "back.pth", weights_only=True)["model"]
    assert list(again) == list(state)
    assert all(torch.equal(again[name], state[name]) for name in state)


def test_our_own_model_does_not_fit_the_released_format(weights, tmp_path, spectralgpt):
    before = listing(tmp_path)
    ended = spectralgpt("convert", weights, tmp_path / "out.pth")
    assert ended.code == 2
    assert ended.err.startswith(f"{weights}: the released format has no place for ")
    assert listing(tmp_path) == before


def test_a_folder_that_holds_something_else_is_kept(weights, tmp_path, spectralgpt):
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.txt").write_text("years")
    ended = spectralgpt("convert", weights, tmp_path / "mine")
    assert ended.code == 2
    assert "thesis.txt" in ended.err
    assert listing(tmp_path / "mine") == ["thesis.txt"]


def test_a_copy_is_the_same_weights(weights, tmp_path, spectralgpt):
    ended = spectralgpt("convert", weights, tmp_path / "copy", "--json")
    assert ended.code == 0, ended.err
    one, two = SpectralGPT.from_pretrained(weights), SpectralGPT.from_pretrained(tmp_path / "copy")
    assert one.fingerprint() == two.fingerprint() == ended.json["fingerprint"]
    assert isinstance(two, MaskedAutoencoder)
    assert one.provenance == two.provenance == {"data": "none"}
    with pytest.raises(AssertionError):
        torch.testing.assert_close(one.encoder.norm.bias, one.encoder.norm.weight)


@pytest.mark.parametrize(
    ("variant", "kind", "classes"),
    [
        # two of the three are long: the formats themselves are compared in test_weights_released.py
        pytest.param("classify/vit_base_patch8", "classification", 10, marks=pytest.mark.long),
        pytest.param("segment/vit_base_patch8", "segmentation", 13, marks=pytest.mark.long),
        ("change/vit_base_patch16", "change", 2),
    ],
)
def test_fine_tuned_there_and_back(variant, kind, classes, tmp_path, spectralgpt):
    keys = golden.load_json("official_keys.json")["models"][variant]["keys"]
    state = {name: torch.full(shape, 1 + number / 1000) for number, (name, shape) in enumerate(keys.items())}
    # as the change detection is saved: bare, every name with a prefix
    torch.save({f"module.{name}": tensor for name, tensor in state.items()}, tmp_path / "a.pth")
    seen = spectralgpt("inspect", tmp_path / "a.pth", "--json")
    assert seen.code == 0, seen.err
    there = spectralgpt("convert", tmp_path / "a.pth", tmp_path / "ours", "--json")
    assert there.code == 0, there.err
    for report in (seen.json, there.json):
        assert (report["kind"], report["size"], report["classes"]) == (kind, "base", classes)
    assert there.json["resized"] == []
    back = spectralgpt("convert", tmp_path / "ours", tmp_path / "back.pth", "--json")
    assert back.code == 0, back.err
    assert back.json["fingerprint"] == there.json["fingerprint"] == seen.json["fingerprint"]
    again = torch.load(tmp_path / "back.pth", weights_only=True)["model"]
    assert list(again) == list(state)
    assert all(torch.equal(again[name], state[name]) for name in state)


def test_another_image_side_is_said(weights, tmp_path, spectralgpt):
    ended = spectralgpt("convert", weights, tmp_path / "larger", "--image", "192", "--json")
    assert ended.code == 0, ended.err
    assert ended.json["image"] == 192
    assert [each.partition(" from ")[0] for each in ended.json["resized"]] == [
        "encoder.positions.place",
        "decoder.positions.place",
    ]
    assert all("to 24 x 24" in each for each in ended.json["resized"])
    assert ended.json["fingerprint"] != SpectralGPT.from_pretrained(weights).fingerprint()
    assert SpectralGPT.from_pretrained(tmp_path / "larger").provenance["resized"] == ended.json["resized"]
    refused = spectralgpt("convert", weights, tmp_path / "no", "--image", "100")
    assert refused.code == 2
    assert "--image 100; expected a multiple of the patch, 8 px" in refused.err
    assert not (tmp_path / "no").exists()


def test_an_image_side_that_needs_no_resizing_is_said(weights, tmp_path, spectralgpt):
    ended = spectralgpt("convert", weights, tmp_path / "same", "--image", "128", "--json")
    assert ended.code == 0, ended.err
    assert "--image 128: nothing was resized" in ended.err
    assert ended.json["resized"] == []
    assert ended.json["fingerprint"] == SpectralGPT.from_pretrained(weights).fingerprint()


@pytest.mark.parametrize("options", [("--image", "0"), ("--image", "-8"), ("--kind", "everything")])
def test_bad_values_are_refused_before_anything_is_read(options, tmp_path, spectralgpt):
    ended = spectralgpt("convert", tmp_path / "nowhere.pth", tmp_path / "out", *options)
    assert ended.code == 2
    assert options[0] in ended.err
    assert listing(tmp_path) == []


def test_the_source_is_never_overwritten(weights, tmp_path, spectralgpt):
    shutil.copytree(weights, tmp_path / "mine")
    before = {path.name: path.read_bytes() for path in (tmp_path / "mine").iterdir()}
    for target in (tmp_path / "mine", f"{tmp_path}/./mine/"):
        ended = spectralgpt("convert", tmp_path / "mine", target, "--image", "64")
        assert ended.code == 2
        assert "one of the sources" in ended.err
    assert {path.name: path.read_bytes() for path in (tmp_path / "mine").iterdir()} == before


def test_two_classes_are_what_one_says(tmp_path, spectralgpt):
    keys = golden.load_json("official_keys.json")["models"]["change/vit_base_patch16"]["keys"]
    # two of twelve blocks: the depth is not the point
    shallow = {name: shape for name, shape in keys.items() if not re.match(r"blocks\.(?![01]\.)", name)}
    assert 0 < len(shallow) < len(keys)
    torch.save({name: torch.zeros(shape) for name, shape in shallow.items()}, tmp_path / "two.pth")
    for options, kind in (
        ((), "change"),
        (("--kind", "segmentation"), "segmentation"),
        (("--kind", "change"), "change"),
    ):
        ended = spectralgpt("inspect", tmp_path / "two.pth", *options, "--json")
        assert (ended.code, ended.json["kind"], ended.json["classes"]) == (0, kind, 2), ended.err
    assert Segmenter.from_pretrained(tmp_path / "two.pth").config.image == ended.json["image"]
    assert ChangeDetector.from_pretrained(tmp_path / "two.pth").fingerprint() == ended.json["fingerprint"]


def test_a_kind_that_a_folder_is_not(weights, tmp_path, spectralgpt):
    for verb, targets in (("inspect", ()), ("convert", (tmp_path / "out",))):
        ended = spectralgpt(verb, weights, *targets, "--kind", "change")
        assert ended.code == 2
        assert "found weights for pretraining; expected weights for change" in ended.err
    assert listing(tmp_path) == []


def another(path, kind):
    """Something else at the target."""
    if kind == "text":
        path.write_text("my notes")
    elif kind == "checkpoint":
        torch.save({"epoch": 3}, path)
    else:
        torch.manual_seed(1)
        keys = golden.load_json("official_keys.json")["models"]["change/vit_base_patch16"]["keys"]
        shallow = {name: shape for name, shape in keys.items() if not re.match(r"blocks\.(?!0\.)", name)}
        torch.save({name: torch.randn(shape) for name, shape in shallow.items()}, path)


@pytest.mark.parametrize("kind", ["text", "checkpoint", "weights"])
def test_another_checkpoint_is_replaced_only_with_overwrite(kind, tmp_path, spectralgpt):
    another(tmp_path / "a.pth", "weights")
    target = tmp_path / "out.pth"
    command = ("convert", tmp_path / "a.pth", target)
    assert spectralgpt(*command).code == 0
    again = spectralgpt(*command)
    assert (again.code, again.err) == (0, ""), "the same command twice"
    if kind == "weights":
        assert spectralgpt("convert", tmp_path / "a.pth", tmp_path / "w", "--image", "256").code == 0
        assert spectralgpt("convert", tmp_path / "w", target, "--overwrite").code == 0
    else:
        another(target, kind)
    before = target.read_bytes()
    ended = spectralgpt(*command)
    assert ended.code == 2
    assert ended.err.endswith("To replace it: --overwrite\n")
    assert target.read_bytes() == before
    ended = spectralgpt(*command, "--overwrite")
    assert ended.code == 0, ended.err
    assert ended.err.startswith(f"replaces {target}, which is not the same weights")
    for name in ("a.pth", "link.pth"):
        if name == "link.pth":
            (tmp_path / name).symlink_to(tmp_path / "a.pth")
        assert "one of the sources" in spectralgpt("convert", tmp_path / "a.pth", tmp_path / name, "--overwrite").err


def test_another_folder_of_weights_is_replaced_only_with_overwrite(weights, tmp_path, spectralgpt):
    target = tmp_path / "w"
    command = ("convert", weights, target)
    for _ in range(2):
        assert spectralgpt(*command).code == 0
    changed = (*command, "--image", "64")
    before = {path.name: path.read_bytes() for path in target.iterdir()}
    ended = spectralgpt(*changed)
    assert ended.code == 2
    assert ended.err.endswith("To replace it: --overwrite\n")
    assert {path.name: path.read_bytes() for path in target.iterdir()} == before
    ended = spectralgpt(*changed, "--overwrite")
    assert ended.code == 0, ended.err
    assert f"replaces {target}, which is" in ended.err
