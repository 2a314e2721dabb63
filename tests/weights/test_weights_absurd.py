"""Configurations that no model has are refused in one line, before a model is made."""

import json
import math
import time

import pytest
import torch

from made_weights import SIZE, of_all_kinds, small_weights
from spectralgpt.bands import Band, BandSet, Group
from spectralgpt.errors import InputError, OptionError, WeightsError
from spectralgpt.nn import ModelConfig, Size
from spectralgpt.weights import SpectralGPT, open_weights
from spectralgpt.weights.store import CONFIG
from test_weights_released import small_state

SIZES = [f"{part}{name}" for part in ("", "decoder_") for name in ("dim", "depth", "heads")]
LONGEST_WAIT = 2.0
"""Seconds. A model of a hundred thousand blocks takes minutes."""


def changed(folder, where, value):
    """The configuration of the folder with one value changed."""
    config = json.loads((folder / CONFIG).read_text())
    part = config
    *parts, name = [int(each) if each.isdigit() else each for each in where.split(".")]
    for each in parts:
        part = part[each]
    part[name] = value
    (folder / CONFIG).write_text(json.dumps(config))


@pytest.fixture
def saved(tmp_path):
    small_weights().save_pretrained(tmp_path / "w")
    return tmp_path / "w"


def refused(folder, match):
    begun = time.perf_counter()
    with pytest.raises(WeightsError, match=match) as caught:
        open_weights(folder)
    assert time.perf_counter() - begun < LONGEST_WAIT
    assert len(str(caught.value)) < 700


@pytest.mark.parametrize("value", [0, -1, 10**5, 10**12, 10**30])
@pytest.mark.parametrize("name", SIZES)
def test_sizes(saved, name, value):
    changed(saved, f"model.size.{name}", value)
    refused(saved, f"makes no model .*found {name} .*expected 1 to (256|16384)")


@pytest.mark.parametrize(
    ("name", "value"), [("depth", 1), ("depth", 256), ("decoder_depth", 200), ("dim", 64), ("decoder_dim", 96)]
)
def test_sizes_of_another_model(saved, name, value):
    """Within the limits: compared with the tensors, so that nothing is made in vain."""
    changed(saved, f"model.size.{name}", value)
    changed(saved, "read_out", json.loads(json.dumps(open_read_out(saved)).replace("[2]", f"[{depth_of(saved)}]")))
    refused(saved, f"found {name} {value} in config.json and {getattr(SIZE, name)} in the tensors")


def open_read_out(folder):
    return json.loads((folder / CONFIG).read_text())["read_out"]


def depth_of(folder):
    return json.loads((folder / CONFIG).read_text())["model"]["size"]["depth"]


@pytest.mark.parametrize("kind", ["classification", "segmentation", "change"])
def test_sizes_of_another_model_with_a_head(tmp_path, kind):
    of_all_kinds()[kind].save_pretrained(tmp_path / "w")
    changed(tmp_path / "w", "model.size.dim", 64)
    refused(tmp_path / "w", "found dim 64 in config.json and 32 in the tensors")


@pytest.mark.parametrize(
    ("where", "value", "message"),
    [
        ("model.image", 8 * 10**9, "image: found 8000000000; expected a side in pixels, 1 to 16384"),
        ("model.image", -8, "image: found -8"),
        ("model.patch", 10**30, "patch: found about 1e30; expected a side in pixels, 1 to 256"),
        ("model.place_nodes", [10**6, 10**6], "place_nodes: found 1000000 x 1000000 nodes"),
        ("model.place_nodes", [16, 0], "place_nodes: found 16 x 0 nodes; expected 1 to 1024"),
        ("model.spectrum_nodes", [], "spectrum_nodes: found 0 nodes"),
        ("model.spectrum_nodes", [math.nan] * 12, "increasing wavelengths in nm"),
        ("model.spectrum_nodes", [500, 400] * 6, "increasing wavelengths in nm"),
        ("model.spectrum_nodes", [0] * 12, "increasing wavelengths in nm"),
        ("bands.groups.1.native", 10**9, r"groups with the numbers \[0, 1000000000, 2, 3\]; expected 0 to 3"),
        ("bands.groups.0.slots.0", math.inf, "wavelengths above 0"),
        ("bands.groups.0.bands.0.fwhm", math.inf, "finite and above 0 nm"),
        ("normalization.statistics.0.mean", math.nan, "B1: found mean nan"),
        ("normalization.statistics.0.mean", 1e300, "B1: found mean 1e.300"),
        ("normalization.statistics.0.sd", 1e-300, "B1: found .*deviation 1e-300"),
        ("normalization.statistics.0.sd", math.inf, "B1: found .*deviation inf"),
    ],
)
def test_other_numbers(saved, where, value, message):
    changed(saved, where, value)
    refused(saved, f"makes no model .*{message}")


def test_a_checkpoint_of_too_many_blocks(tmp_path):
    state = small_state()
    first = {name: each for name, each in state.items() if name.startswith("blocks.0.")}
    for number in range(2, 300):
        state |= {name.replace("blocks.0.", f"blocks.{number}."): each for name, each in first.items()}
    torch.save({"model": state}, tmp_path / "a.pth")
    with pytest.raises(WeightsError, match=r"its tensors make no model \(found depth 300; expected 1 to 256\)"):
        SpectralGPT.from_released(tmp_path / "a.pth", heads=2, decoder_heads=3)


def test_limits_hold_without_a_file():
    for name in SIZES:
        values = {each: getattr(SIZE, each) for each in SIZES}
        with pytest.raises(ValueError, match=f"found {name} 0; expected 1 to"):
            Size(**(values | {name: 0}))
    bands = small_weights().config.bands
    for option, value in {"image": 16_385, "patch": 257, "place_nodes": (1025, 1)}.items():
        with pytest.raises(OptionError, match=f"{option}: found"):
            ModelConfig(SIZE, bands, **{option: value})
    assert ModelConfig(SIZE, bands, image=16_384, place_nodes=(1024, 1024)).image == 16_384
    with pytest.raises((ValueError, InputError)):
        Band("s", "a", math.inf, 10, 10)
    band = Band("s", "a", 500, 10, 10)
    with pytest.raises(ValueError, match="above 0"):
        Group((band,), (math.nan, 500.0))
    with pytest.raises(OptionError, match="groups with the numbers"):
        ModelConfig(SIZE, BandSet.own([band] * 3))
