"""Weights with NaN or infinite values are refused wherever they are read."""

import json
import math

import pytest
import torch
from safetensors.torch import load_file, save_file

from made_weights import of_all_kinds
from spectralgpt.errors import WeightsError
from spectralgpt.weights import SpectralGPT, open_weights
from spectralgpt.weights.store import checksum, refuse_not_finite
from test_weights_released import released_like, small_state


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
@pytest.mark.parametrize("name", ["norm.weight", "decoder_pred.bias", "blocks.1.attn.q.weight"])
def test_a_checkpoint(tmp_path, name, value):
    state = small_state()
    state[name] = state[name].clone()
    state[name].view(-1)[3:5] = value
    torch.save({"model": state}, tmp_path / "a.pth")
    with pytest.raises(WeightsError, match="NaN or infinite") as caught:
        SpectralGPT.from_released(tmp_path / "a.pth", heads=2, decoder_heads=3)
    assert f"1 tensor: {name} (2 of {state[name].numel()})" in str(caught.value)


def test_a_checkpoint_that_overflowed_in_half_precision(tmp_path):
    state = small_state()
    state["norm.bias"] = torch.full_like(state["norm.bias"], 1e6)
    torch.save({"model": {name: tensor.half() for name, tensor in state.items()}}, tmp_path / "a.pth")
    with pytest.raises(WeightsError, match=r"norm\.bias \(32 of 32\)"):
        SpectralGPT.from_released(tmp_path / "a.pth", heads=2, decoder_heads=3)


@pytest.mark.parametrize("kind", ["pretraining", "classification", "segmentation"])
def test_a_folder(tmp_path, kind):
    of_all_kinds()[kind].save_pretrained(tmp_path / "w")
    path = tmp_path / "w" / "model.safetensors"
    tensors = load_file(path)
    tensors["encoder.norm.weight"][0] = math.nan
    save_file(tensors, path)
    config = json.loads((tmp_path / "w" / "config.json").read_text())
    (tmp_path / "w" / "config.json").write_text(json.dumps(config | {"checksum": checksum(path)}))
    with pytest.raises(WeightsError, match=r"encoder\.norm\.weight \(1 of 32\)"):
        open_weights(tmp_path / "w")


def test_at_most_six_are_named():
    tensors = {f"t{number}": torch.tensor([1.0, math.nan]) for number in range(9)} | {"good": torch.ones(2)}
    with pytest.raises(WeightsError, match=r"9 tensors: t0 \(1 of 2\), .* and 3 more") as caught:
        refuse_not_finite(tensors, "a.pth")
    assert "t6" not in str(caught.value)
    assert "good" not in str(caught.value)


def test_large_finite_values_and_integers_pass():
    """Their sum overflows, they do not."""
    refuse_not_finite({"large": torch.full((9,), 3e38), "count": torch.arange(3), "none": torch.empty(0)}, "a.pth")


def test_right_weights_pass(tmp_path):
    torch.save({"model": small_state()}, tmp_path / "a.pth")
    model = SpectralGPT.from_released(tmp_path / "a.pth", heads=2, decoder_heads=3)
    assert model.fingerprint() == released_like().fingerprint()
