"""The released checkpoints (.pth), both ways."""

import argparse
import os
import pickle
import random
from contextlib import suppress
from functools import lru_cache, partial

import golden_numbers as golden
import numpy as np
import pytest
import torch

from made_weights import small_weights
from spectralgpt.bands import BandSet
from spectralgpt.errors import TargetError, WeightsError
from spectralgpt.products import as_pixels
from spectralgpt.weights import (
    Released,
    SpectralGPT,
    describe_released,
    from_released,
    read_released,
    to_released,
)
from spectralgpt.weights.released import released_normalization

made_pixels = partial(as_pixels, trust_input=True)
"""Values that are made up: they are not checked."""

PRETRAINING = [f"pretrain/mae_vit_{size}_patch8_{side}" for size in ("base", "large", "huge") for side in (96, 128)]
KINDS = {
    **dict.fromkeys(PRETRAINING, "pretraining"),
    "classify/vit_base_patch8": "classification",
    "classify/vit_base_patch8_128": "classification",
    "classify/vit_large_patch8_128": "classification",
    "classify/vit_base_patch8_128+num_classes=62": "classification",
    "classify/vit_base_patch8_128+num_classes=19": "classification",
    "change/vit_base_patch16": "change",
    "segment/vit_base_patch8": "segmentation",
}
"""All variants that the released scripts train."""


def entry(name: str) -> dict[str, list[int]]:
    return golden.load_json("official_keys.json")["models"][name]["keys"]


def pretraining(model: SpectralGPT) -> Released:
    return Released(model.task, model.config)


def test_the_variants_are_all_that_there_are():
    assert list(KINDS) == list(golden.load_json("official_keys.json")["models"])


def pattern(name: str, shape, dtype: torch.dtype) -> torch.Tensor:
    """Cheap values, different in each tensor and between neighbours."""
    count, start = int(np.prod(shape)), random.Random(name).randrange(251)
    return wave(dtype)[start : start + count].reshape(shape)  # a view: the largest model has 640 million values


@lru_cache(maxsize=2)
def wave(dtype: torch.dtype) -> torch.Tensor:
    return (torch.arange(251) - 125).to(dtype).repeat(34_000)


def small_state(**changes: torch.Tensor | None) -> dict[str, torch.Tensor]:
    """A checkpoint of the released format with a width for which the number of heads is not known."""
    model = released_like()
    state = to_released(model.state_dict(), pretraining(model)) | changes
    return {name: tensor for name, tensor in state.items() if tensor is not None}


def released_like(**options) -> SpectralGPT:
    bands = BandSet.native(small_weights().config.bands.bands)
    nodes = tuple(group.wavelength for group in bands.groups)
    model = small_weights(place_nodes=(6, 6), image=48, spectrum_nodes=nodes, **options)
    model.normalization = released_normalization()
    with torch.no_grad():
        for name, table in model.named_parameters():
            if name.endswith(("season", "elapsed", "scale")):
                table.zero_()
    return model


@pytest.mark.parametrize("name", KINDS)
def test_official_keys_map_with_nothing_left_over(name):
    """Both ways: every tensor once, with the same names in the same order, shapes and values."""
    about = golden.load_json("official_keys.json")["models"][name]
    keys = about["keys"]
    state = {key: pattern(key, shape, torch.int8) for key, shape in keys.items()}
    released = describe_released(state, name)
    hyper = about["hyper"]
    assert released.task.name == KINDS[name]
    assert released.config.image == hyper["img_size"]
    assert released.config.size.heads == hyper["num_heads"]
    if released.head is not None:
        assert released.head.classes == hyper["num_classes"]
    ours = from_released(state, released, name)
    assert {key: tuple(tensor.shape) for key, tensor in ours.items()} == released.our_shapes
    back = to_released(ours, released)
    assert list(back) == list(keys), "names, in their order"
    for key, shape in keys.items():
        assert list(back[key].shape) == shape
        assert torch.equal(back[key], state[key]), key


def test_a_real_file_of_the_base_size(tmp_path):
    state = {
        key: pattern(key, shape, torch.float32).clone()
        for key, shape in entry("pretrain/mae_vit_base_patch8_96").items()
    }
    content = {
        "model": state,
        "optimizer": {
            "state": {0: {"step": 7, "exp_avg": torch.zeros(3), "exp_avg_sq": torch.zeros(3)}},
            "param_groups": [{"lr": 1e-3, "betas": (0.9, 0.95), "params": [0]}],
        },
        "epoch": 199,
        "scaler": {"scale": 65536.0, "growth_factor": 2.0, "_growth_tracker": 3},
        "args": argparse.Namespace(model="mae_vit_base_patch8", mask_ratio=0.9, data=None, flags=["a"]),
    }
    torch.save(content, tmp_path / "SpectralGPT.pth")
    model = SpectralGPT.from_pretrained(tmp_path / "SpectralGPT.pth")
    (tmp_path / "SpectralGPT.pth").unlink()
    assert model.config.size.heads == 12
    assert model.provenance == {"converted_from": "SpectralGPT.pth"}
    assert sum(parameter.numel() for parameter in model.parameters()) == 98_496_960 + 33 * (768 + 512)
    model.save_released(tmp_path / "back.pth")
    back = torch.load(tmp_path / "back.pth", weights_only=True)
    assert list(back) == ["model"]
    assert list(back["model"]) == list(state)
    for key, tensor in state.items():
        assert torch.equal(back["model"][key], tensor), key
    assert [path.name for path in tmp_path.iterdir()] == ["back.pth"]


@pytest.mark.parametrize("wrapped", ["model", "bare"])
@pytest.mark.parametrize("prefix", ["", "module."])
def test_bare_or_wrapped_with_or_without_prefix(tmp_path, wrapped, prefix):
    state = small_state()
    named = {prefix + name: tensor for name, tensor in state.items()}
    torch.save(named if wrapped == "bare" else {"epoch": 1, "model": named}, tmp_path / "a.pth")
    model = SpectralGPT.from_released(tmp_path / "a.pth", heads=2, decoder_heads=3)
    assert model.fingerprint() == released_like().fingerprint()
    back = to_released(model.state_dict(), pretraining(model), model.normalization)
    assert list(back) == list(state)
    assert all(torch.equal(back[name], tensor) for name, tensor in state.items())
    # and on into a folder, although the tensors of a checkpoint may share memory
    model.save_pretrained(tmp_path / "folder")
    assert SpectralGPT.from_pretrained(tmp_path / "folder").fingerprint() == model.fingerprint()


def test_tensors_that_share_one_memory(tmp_path):
    state = small_state()
    flat = torch.cat([tensor.flatten() for tensor in state.values()])
    views = flat.split([tensor.numel() for tensor in state.values()])
    torch.save({n: v.reshape(t.shape) for (n, t), v in zip(state.items(), views, strict=True)}, tmp_path / "a.pth")
    model = SpectralGPT.from_released(tmp_path / "a.pth", heads=2, decoder_heads=3)
    model.save_pretrained(tmp_path / "folder")
    assert SpectralGPT.from_pretrained(tmp_path / "folder").fingerprint() == released_like().fingerprint()


def test_a_converted_model_takes_other_sizes():
    model = released_like()
    rng = np.random.default_rng(0)
    for height, width in ((48, 48), (64, 64), (128, 128), (200, 136)):
        values = rng.integers(100, 4000, (12, height, width)).astype("u2")
        cube = model.cube(made_pixels(values, bands=model.config.bands.bands, gsd=10))
        assert cube.scaling.kind == ("min_max" if max(height, width) <= 96 else "two_sigma")
        embedding = model.embed(cube, "place")
        assert embedding.shape == (1, height // 8, width // 8, 32)
        assert torch.isfinite(embedding).all()
        assert torch.isfinite(model.reconstruct(cube, "B11").values).all()


class RunsCode:
    def __init__(self, mark):
        self.mark = mark

    def __reduce__(self):
        return os.mkdir, (str(self.mark),)


@pytest.mark.parametrize("how", ["beside", "instead", "old format", "plain pickle"])
def test_a_pickle_that_runs_code_does_not_run(tmp_path, how):
    path, mark = tmp_path / "bad.pth", tmp_path / "ran"
    evil = RunsCode(mark)
    if how == "plain pickle":
        path.write_bytes(pickle.dumps(evil, protocol=2))
    else:
        content = evil if how == "instead" else {"model": small_state(), "args": evil}
        torch.save(content, path, _use_new_zipfile_serialization=how != "old format")
    with pytest.raises(WeightsError, match=r"would run code when read.*Nothing was run"):
        SpectralGPT.from_pretrained(path)
    assert not mark.exists()
    torch.load(path, weights_only=False) if how != "plain pickle" else pickle.loads(path.read_bytes())
    assert mark.exists(), "the trap works where one falls into it"


@pytest.mark.parametrize("zipped", [True, False])
@pytest.mark.parametrize("share", [0.0, 0.0005, 0.1, 0.5, 0.9, 0.999])
def test_cut_off(tmp_path, share, zipped):
    torch.save({"model": small_state()}, tmp_path / "a.pth", _use_new_zipfile_serialization=zipped)
    data = (tmp_path / "a.pth").read_bytes()
    (tmp_path / "a.pth").write_bytes(data[: int(len(data) * share)])
    with pytest.raises(WeightsError, match=r"a\.pth: cannot be read as a checkpoint"):
        SpectralGPT.from_pretrained(tmp_path / "a.pth")


def test_damaged_bytes_are_one_clear_error_or_none(tmp_path):
    rng = random.Random(0)
    for zipped in (True, False):
        torch.save({"model": {"a": torch.zeros(9)}}, tmp_path / "a.pth", _use_new_zipfile_serialization=zipped)
        data = (tmp_path / "a.pth").read_bytes()
        for _ in range(80):
            damaged = bytearray(data)
            for _ in range(3):
                damaged[rng.randrange(min(len(damaged), 500))] = rng.randrange(256)
            (tmp_path / "a.pth").write_bytes(damaged)
            with suppress(WeightsError):  # any other error is a traceback for the user
                read_released(tmp_path / "a.pth")


@pytest.mark.parametrize("content", [b"hello world, no checkpoint\n" * 9, b"<!DOCTYPE html>\n" * 9, b"\0" * 999])
def test_no_checkpoint(tmp_path, content):
    (tmp_path / "a.pth").write_bytes(content)
    with pytest.raises(WeightsError, match=r"a\.pth: cannot be read"):
        SpectralGPT.from_pretrained(tmp_path / "a.pth")


def test_no_file(tmp_path):
    with pytest.raises(WeightsError, match="does not exist"):
        SpectralGPT.from_pretrained(tmp_path / "a.pth")
    (tmp_path / "b.pth").mkdir()
    with pytest.raises(WeightsError, match="is not a file"):
        SpectralGPT.from_released(tmp_path / "b.pth")


@pytest.mark.parametrize("content", [{}, [1, 2], {"model": {}}, {"model": [1]}, {"a": 1}, {1: torch.zeros(2)}, "text"])
def test_no_state_dict(tmp_path, content):
    torch.save(content, tmp_path / "a.pth")
    with pytest.raises(WeightsError, match="found no state dict"):
        read_released(tmp_path / "a.pth")


@pytest.mark.parametrize("kind", ["classification", "segmentation", "change"])
def test_a_checkpoint_of_another_kind_than_told(kind):
    with pytest.raises(WeightsError, match=f"here: found a checkpoint for pretraining; expected one for {kind}"):
        describe_released(small_state(), "here", task=kind)


def test_something_else():
    with pytest.raises(WeightsError, match=r"found an unknown model of 1 tensors.*expected a SpectralGPT checkpoint"):
        describe_released({"conv1.weight": torch.zeros(3)}, "here")


def test_tensors_that_do_not_fit_are_all_named():
    bad = small_state(mask_token=None, **{"blocks.1.attn.k.bias": None, "norm.bias": torch.zeros(31)})
    bad |= {"cls_token": torch.zeros(1, 1, 32), "blocks.0.extra": torch.zeros(2)}
    with pytest.raises(WeightsError) as error:
        from_released(bad, describe_released(bad, "here", heads=2, decoder_heads=3), "here")
    for part in (
        "missing mask_token (1, 1, 48)",
        "missing blocks.1.attn.k.bias (32,)",
        "norm.bias has shape (31,), expected (32,)",
        "unexpected cls_token (1, 1, 32)",
        "unexpected blocks.0.extra (2,)",
    ):
        assert part in str(error.value)


@pytest.mark.parametrize(
    ("changes", "heads", "message"),
    [
        ({}, (None, None), "widths 32 and 48, for which no tensor shows the number of heads"),
        ({}, (5, 3), "heads that divide"),
        ({"pos_embed_temporal": torch.zeros(4)}, (2, 3), "do not fit together"),
        ({"patch_embed.proj.weight": torch.zeros(32, 192)}, (2, 3), "do not fit together"),
        ({"decoder_embed.weight": None}, (2, 3), "do not fit together"),
        ({"pos_embed_temporal": torch.zeros(1, 3, 32)}, (2, 3), "3 groups of 3 bands; expected 12"),
    ],
)
def test_shapes_that_make_no_model(changes, heads, message):
    with pytest.raises(WeightsError, match=message):
        describe_released(small_state(**changes), "here", heads=heads[0], decoder_heads=heads[1])


def test_no_blocks():
    state = {name: tensor for name, tensor in small_state().items() if not name.startswith("blocks.")}
    with pytest.raises(WeightsError, match="found 0 blocks"):
        describe_released(state, "here", heads=2, decoder_heads=3)


def test_a_place_table_that_is_no_square():
    state = small_state(pos_embed_spatial=torch.zeros(1, 35, 32))
    with pytest.raises(WeightsError, match="pos_embed_spatial has shape"):
        from_released(state, describe_released(state, "here", heads=2, decoder_heads=3), "here")


def test_what_the_format_cannot_hold_is_refused_with_every_reason(tmp_path):
    model = small_weights(place_nodes=(16, 12))
    with pytest.raises(WeightsError) as error:
        model.save_released(tmp_path / "a.pth")
    for part in (
        "12 spectrum nodes instead of one per band group",
        "place table of 16 x 12 instead of a square one",
        "tables for dates and scale that are in use (encoder.positions.season",
        "decoder.positions.scale",
        "normalization standard",
        "Save the model to a folder instead",
    ):
        assert part in str(error.value)
    assert not list(tmp_path.iterdir())
    fewer = small_weights(bands=BandSet.native(model.config.bands.bands[:9]))
    with pytest.raises(WeightsError, match=r"bands B1, .* instead of the 12"):
        to_released(fewer.state_dict(), pretraining(fewer))


@pytest.mark.parametrize("table", ["season", "elapsed", "scale"])
@pytest.mark.parametrize("side", ["encoder", "decoder"])
def test_one_value_of_a_table_of_ours_is_enough(side, table):
    model = released_like()
    to_released(model.state_dict(), pretraining(model), model.normalization)
    with torch.no_grad():
        model.get_parameter(f"{side}.positions.{table}")[-1, -1] = 1e-6
    with pytest.raises(WeightsError, match=f"in use .{side}.positions.{table}"):
        to_released(model.state_dict(), pretraining(model))


def test_heads_that_would_be_read_back_as_others():
    from spectralgpt.nn import Size

    model = released_like(size=Size(768, 1, 8, 48, 1, 3))
    with pytest.raises(WeightsError, match="8 heads at width 768, which would be read back as 12"):
        to_released(model.state_dict(), pretraining(model))


def test_targets_that_cannot_be_written(tmp_path):
    (tmp_path / "folder.pth").mkdir()
    (tmp_path / "file").write_text("kept")
    for target in ("folder.pth", "nowhere/a.pth", "file/a.pth"):
        with pytest.raises(TargetError, match="cannot be written"):
            released_like().save_released(tmp_path / target)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["file", "folder.pth"]
    assert (tmp_path / "file").read_text() == "kept"
