"""Checkpoints as people have them: wrapped, prefixed, with a moving average, or only a pointer to one."""

import argparse
from collections import OrderedDict

import pytest
import torch

import spectralgpt
from made_weights import small_weights
from spectralgpt.errors import WeightsError
from spectralgpt.weights import SpectralGPT, read_released
from spectralgpt.weights.checkpoint_file import read_checkpoint
from test_weights_released import released_like, small_state

POINTER = (
    "version https://git-lfs.github.com/spec/v1\n"
    "oid sha256:4d7a214614ab2935c943f9e0ff69d22eadbb8f32b1258daaa5e2ca24d17e2393\nsize 394000000\n"
)


def tensors(seed: int = 0) -> dict[str, torch.Tensor]:
    made = torch.Generator().manual_seed(seed)
    return {name: torch.rand(3, generator=made) for name in ("mask_token", "blocks.0.norm1.weight", "norm.bias")}


def same(one, other) -> bool:
    return list(one) == list(other) and all(torch.equal(one[name], other[name]) for name in one)


def prefixed(prefix: str, seed: int = 0) -> dict[str, torch.Tensor]:
    return {prefix + name: tensor for name, tensor in tensors(seed).items()}


@pytest.mark.parametrize(
    "under", [(), ("model",), ("state_dict",), ("model_state_dict",), ("model", "state_dict"), ("module",)]
)
@pytest.mark.parametrize(
    "prefix", ["", "module.", "model.", "_orig_mod.", "module._orig_mod.", "_orig_mod.module.model.", "model.model."]
)
def test_wrapped_and_prefixed(tmp_path, under, prefix):
    content = OrderedDict(prefixed(prefix))
    for key in reversed(under):
        content = {"epoch": 3, key: content, "args": argparse.Namespace(lr=1.0), "optimizer": {"state": {}}}
    torch.save(content, tmp_path / "a.pth")
    found = read_checkpoint(tmp_path / "a.pth")
    assert same(found.state, tensors())
    assert found.note == ""
    assert same(read_released(tmp_path / "a.pth"), tensors())


@pytest.mark.parametrize("key", ["ema", "model_ema", "state_dict_ema"])
@pytest.mark.parametrize("inside", [(), ("module",), ("shadow",), ("state_dict",)])
def test_the_weights_are_taken_and_not_their_average(tmp_path, key, inside):
    average = prefixed("module.", seed=1)
    for each in reversed(inside):
        average = {"decay": 0.999, each: average}
    torch.save({key: average, "model": tensors()}, tmp_path / "a.pth")
    found = read_checkpoint(tmp_path / "a.pth")
    assert same(found.state, tensors())
    assert key in found.note
    torch.save({key: average, "epoch": 2}, tmp_path / "b.pth")
    found = read_checkpoint(tmp_path / "b.pth")
    assert same(found.state, tensors(seed=1))
    assert key in found.note


@pytest.mark.parametrize("prefixes", [("model.", "ema."), ("", "model_ema.module."), ("_orig_mod.", "model.ema.")])
def test_an_average_among_the_tensors_is_left_out(tmp_path, prefixes):
    weights, average = prefixes
    torch.save({"state_dict": prefixed(weights) | prefixed(average, seed=1)}, tmp_path / "a.pth")
    found = read_checkpoint(tmp_path / "a.pth")
    assert same(found.state, tensors())
    assert "moving average" in found.note


def test_torch_s_averaged_model(tmp_path):
    averaged = torch.optim.swa_utils.AveragedModel(torch.nn.Linear(2, 3))
    torch.save(averaged.state_dict(), tmp_path / "a.pth")
    assert list(read_released(tmp_path / "a.pth")) == ["weight", "bias"]


def test_the_same_tensor_twice(tmp_path):
    torch.save(prefixed("model.") | prefixed("module."), tmp_path / "a.pth")
    with pytest.raises(WeightsError, match=r"a\.pth: found two tensors mask_token"):
        read_released(tmp_path / "a.pth")


@pytest.mark.parametrize("content", [{"epoch": 3, "loss": [1.0]}, {"state_dict": {"a": 1}}, {"ema": {"decay": 0.9}}])
def test_without_a_state_dict_the_keys_are_listed(tmp_path, content):
    torch.save(content, tmp_path / "a.pth")
    with pytest.raises(
        WeightsError, match=f"found no state dict among {', '.join(content)}; expected one, bare or under"
    ):
        read_released(tmp_path / "a.pth")


@pytest.mark.parametrize("version", ["v1", "v2"])
@pytest.mark.parametrize("verb", ["inspect", "convert", "from_pretrained"])
def test_a_git_lfs_pointer_is_named(tmp_path, version, verb):
    path = tmp_path / "SpectralGPT.pth"
    path.write_text(POINTER.replace("v1", version))
    open_it = {
        "inspect": lambda: spectralgpt.inspect(path),
        "convert": lambda: spectralgpt.convert(path, tmp_path / "weights"),
        "from_pretrained": lambda: SpectralGPT.from_pretrained(path),
    }[verb]
    with pytest.raises(WeightsError, match=r"SpectralGPT\.pth: is a pointer of Git LFS.*`git lfs pull`"):
        open_it()
    assert list(tmp_path.iterdir()) == [path]


def test_a_git_lfs_pointer_in_a_folder_of_weights(tmp_path):
    small_weights().save_pretrained(tmp_path / "weights")
    (tmp_path / "weights" / "model.safetensors").write_text(POINTER)
    with pytest.raises(WeightsError, match=r"model\.safetensors: is a pointer of Git LFS"):
        SpectralGPT.from_pretrained(tmp_path / "weights")


@pytest.mark.parametrize(
    ("prefix", "under", "average"),
    [("module._orig_mod.", "model", "model_ema"), ("model.", "state_dict", "state_dict_ema"), ("_orig_mod.", "", "")],
)
def test_converted_tensors_are_those_of_the_plain_checkpoint(tmp_path, prefix, under, average):
    state = {prefix + name: tensor for name, tensor in small_state().items()}
    content = {under: state} if under else state
    if average:
        content[average] = {name: tensor + 1 for name, tensor in state.items()}
    torch.save(content, tmp_path / "a.pth")
    model = SpectralGPT.from_released(tmp_path / "a.pth", heads=2, decoder_heads=3)
    plain = released_like()
    assert model.fingerprint() == plain.fingerprint()
    assert all(torch.equal(each, plain.state_dict()[name]) for name, each in model.state_dict().items())
    assert (average in model.provenance.get("taken", "")) is True
    assert ("taken" in model.provenance) is bool(average)


@pytest.mark.parametrize(
    "prefix", ["encoder.", "net.", "backbone.", "module.net.backbone.", "model.student.", "learner.online_network."]
)
def test_any_prefix_that_all_tensors_have(tmp_path, prefix):
    state = small_state()
    torch.save({"state_dict": {prefix + name: tensor for name, tensor in state.items()}}, tmp_path / "a.pth")
    found = read_checkpoint(tmp_path / "a.pth")
    assert same(found.state, state)
    assert found.note == ""


@pytest.mark.parametrize(
    ("weights", "average"),
    [
        ("model.", "ema_model."),
        ("backbone.", "backbone_ema."),
        ("", "teacher.module."),
        ("student.net.", "teacher.net."),
    ],
)
def test_an_average_of_a_whole_model_is_left_out(tmp_path, weights, average):
    state = small_state()
    both = {weights + name: tensor for name, tensor in state.items()}
    both |= {average + name: tensor + 1 for name, tensor in state.items()}
    torch.save({"state_dict": both}, tmp_path / "a.pth")
    found = read_checkpoint(tmp_path / "a.pth")
    assert same(found.state, state)
    assert f"(`{average.partition('.')[0]}`); to take that, save its tensors alone" in found.note
    torch.save({name: each for name, each in both.items() if name.startswith(average)}, tmp_path / "b.pth")
    found = read_checkpoint(tmp_path / "b.pth")
    assert torch.equal(found.state["mask_token"], state["mask_token"] + 1)
    assert "all that there is" in found.note


@pytest.mark.parametrize("prefixes", [("one.", "two."), ("", "critic."), ("generator.net.", "critic.net.", "other.")])
def test_several_models_are_refused_in_one_sentence(tmp_path, prefixes):
    state = {prefix + name: tensor for prefix in prefixes for name, tensor in small_state().items()}
    torch.save({"state_dict": state}, tmp_path / "a.pth")
    with pytest.raises(WeightsError, match=f"found {len(prefixes)} models in one state dict") as caught:
        read_checkpoint(tmp_path / "a.pth")
    assert len(str(caught.value)) < 400


@pytest.mark.parametrize("key", ["net", "student", "params"])
def test_other_keys_of_the_weights(tmp_path, key):
    torch.save({"epoch": 3, key: tensors()}, tmp_path / "a.pth")
    assert same(read_checkpoint(tmp_path / "a.pth").state, tensors())


@pytest.mark.parametrize("fault", ["unexpected", "missing", "of another shape"])
def test_a_message_names_six_tensors_and_the_count(tmp_path, fault):
    state = small_state()
    blocks = [name for name in state if name.startswith("blocks.0.")][:9]
    if fault == "unexpected":
        state |= {f"extra.{number}": torch.zeros(2) for number in range(9)}
    elif fault == "missing":
        state = {name: tensor for name, tensor in state.items() if name not in blocks}
    else:
        state |= {name: torch.zeros(3, 3, 3) for name in blocks}
    torch.save({"model": state}, tmp_path / "a.pth")
    with pytest.raises(WeightsError, match=f"and 3 more {fault}") as caught:
        SpectralGPT.from_released(tmp_path / "a.pth", heads=2, decoder_heads=3)
    assert len(str(caught.value).splitlines()) == 7


@pytest.mark.parametrize("prefix", ["", "model."])
def test_our_own_state_dict_without_its_configuration(tmp_path, prefix):
    torch.save({prefix + name: each for name, each in small_weights().state_dict().items()}, tmp_path / "a.pth")
    with pytest.raises(WeightsError, match="save the model with save_pretrained"):
        SpectralGPT.from_released(tmp_path / "a.pth", heads=2, decoder_heads=3)
