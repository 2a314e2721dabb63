"""The released SpectralGPT pretraining checkpoints (.pth), in and out.

Only names, shapes and numbers of that format stand here. It is the pretraining model of the paper (Hong et al.,
SpectralGPT, IEEE TPAMI 2024) with separate tables for places and band groups and without a class token; q, k and v are
three matrices there and one in ours, the Conv3d over (bands, rows, columns) is flattened, all else is renamed.
"""

import argparse
import math
import os
import pickle
import re
import warnings
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

import torch
from torch import Tensor

from spectralgpt.bands import BandSet, sensor
from spectralgpt.errors import TargetError, WeightsError
from spectralgpt.nn import BandStatistics, ModelConfig, Normalization, Size
from spectralgpt.weights.store import check_tensors

ENCODER_HEADS, DECODER_HEADS = {768: 12, 1024: 16, 1280: 16}, {512: 16}
"""Heads by width: they are not seen in a checkpoint."""

OWN_TABLES = ("season", "elapsed", "scale")
"""Position tables that the released format lacks: zero in converted weights."""

STATISTICS = {
    "B1": (1370.19151926, 633.15169573),
    "B2": (1184.3824625, 650.2842772),
    "B3": (1120.77120066, 712.12507725),
    "B4": (1136.26026392, 965.23119807),
    "B5": (1263.73947144, 948.9819932),
    "B6": (1645.40315151, 1108.06650639),
    "B7": (1846.87040806, 1258.36394548),
    "B8": (1762.59530783, 1233.1492281),
    "B8A": (1972.62420416, 1364.38688993),
    "B9": (582.72633433, 472.37967789),
    "B11": (1732.16362238, 1310.36996126),
    "B12": (1247.91870117, 1087.6020813),
}
"""Mean and standard deviation of fMoW-Sentinel, Level-1C, in stored values (reflectance x 10000)."""

_SIDES = {"encoder": "", "decoder": "decoder_"}
_BLOCK = re.compile(r"(decoder_)?blocks\.(\d+)\.")


def read_released(path: Path) -> dict[str, Tensor]:
    """The state dict of a .pth: bare or under `model`, with or without the prefix `module.`.

    Read without running code: besides tensors and plain values only argparse.Namespace (their `args`) is let in.
    WeightsError when the file is damaged, holds anything else, or no state dict.
    """
    if not path.is_file():
        found = "a folder" if path.is_dir() else "no such file"
        raise WeightsError(f"{path}: found {found}; expected a checkpoint (.pth).")
    try:
        with torch.serialization.safe_globals([argparse.Namespace]), warnings.catch_warnings():
            # the pickle protocol and other remarks that say nothing to a user
            warnings.simplefilter("ignore")
            content = torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        if "GLOBAL" in str(error):
            raise WeightsError(
                f"{path}: found objects that would run code when read; expected tensors, plain values and an "
                "argparse.Namespace only. Nothing was run. Save the state dict alone and convert that."
            ) from None
        raise WeightsError(_damaged(path)) from None
    except Exception:  # damaged bytes raise nearly anything inside torch: KeyError, AssertionError, UnicodeDecodeError
        raise WeightsError(_damaged(path)) from None
    state = content.get("model", content) if isinstance(content, Mapping) else content
    if (
        not isinstance(state, Mapping)
        or not state
        or not all(isinstance(name, str) and isinstance(each, Tensor) for name, each in state.items())
    ):
        raise WeightsError(f"{path}: found no state dict; expected one, bare or under `model`.")
    return {name.removeprefix("module."): tensor for name, tensor in state.items()}


def released_config(
    state: Mapping[str, Tensor], source: str, heads: int | None = None, decoder_heads: int | None = None
) -> ModelConfig:
    """The configuration of a released pretraining state dict, read off its shapes.

    heads, decoder_heads: for widths that none of the released sizes has. WeightsError for another kind of checkpoint.
    """
    if "decoder_pred.weight" not in state or "pos_embed_spatial" not in state:
        kind = (
            "a fine-tuned model"
            if any(name.startswith(("head.", "cls_seg", "fc.")) for name in state)
            else "something else"
        )
        raise WeightsError(
            f"{source}: found {kind} with {len(state)} tensors; expected a SpectralGPT pretraining checkpoint, which "
            "has `pos_embed_spatial` and `decoder_pred.weight`."
        )
    try:
        dim, _, slots, patch, _ = state["patch_embed.proj.weight"].shape
        decoder_dim = state["decoder_embed.weight"].shape[0]
        groups = state["pos_embed_temporal"].shape[1]
        side = math.isqrt(state["pos_embed_spatial"].shape[1])
    except (KeyError, ValueError, IndexError) as error:
        raise WeightsError(f"{source}: found a checkpoint whose tensors do not fit together ({error}).") from None
    depth, decoder_depth = _depth(state, ""), _depth(state, "decoder_")
    if not depth or not decoder_depth:
        raise WeightsError(f"{source}: found {depth} blocks and {decoder_depth} of the decoder; expected some of both.")
    heads, decoder_heads = heads or ENCODER_HEADS.get(dim), decoder_heads or DECODER_HEADS.get(decoder_dim)
    if heads is None or decoder_heads is None:
        raise WeightsError(
            f"{source}: found widths {dim} and {decoder_dim}, whose number of heads no tensor tells; expected 768, "
            "1024 or 1280 with a decoder of 512. Say heads and decoder_heads."
        )
    if dim % heads or decoder_dim % decoder_heads:
        raise WeightsError(
            f"{source}: found widths {dim} and {decoder_dim} for {heads} and {decoder_heads} heads; expected heads "
            "that divide them."
        )
    bands = sensor("spectralgpt-12").bands
    if slots * groups != len(bands):
        raise WeightsError(f"{source}: found {groups} groups of {slots} bands; expected {len(bands)} bands in all.")
    bandset = BandSet.native(bands, slots)
    return ModelConfig(
        size=Size(dim, depth, heads, decoder_dim, decoder_depth, decoder_heads),
        bands=bandset,
        patch=patch,
        image=side * patch,
        place_nodes=(side, side),
        spectrum_nodes=tuple(group.wavelength for group in bandset.groups),
    )


def released_normalization() -> Normalization:
    """How the released weights want their input: min_max an image, two_sigma by fMoW-Sentinel's statistics."""
    bands = sensor("spectralgpt-12").bands
    return Normalization(
        "min_max", tuple(BandStatistics(band, *(value / 10_000 for value in STATISTICS[band.name])) for band in bands)
    )


def from_released(state: Mapping[str, Tensor], config: ModelConfig, source: str) -> dict[str, Tensor]:
    """Our tensors from theirs. WeightsError naming every missing, unexpected and misshapen tensor."""
    expected = released_shapes(config)
    check_tensors(expected, {name: tuple(tensor.shape) for name, tensor in state.items()}, source)
    state = dict(state)
    ours: dict[str, Tensor] = {}
    for side, prefix in _SIDES.items():
        width = config.size.dim if side == "encoder" else config.size.decoder_dim
        place = state.pop(f"{prefix}pos_embed_spatial")
        ours[f"{side}.positions.place"] = place.reshape(*config.place_nodes, width)
        ours[f"{side}.positions.spectrum"] = state.pop(f"{prefix}pos_embed_temporal")[0]
        for table, nodes in zip(OWN_TABLES, (12, 10, 11), strict=True):
            ours[f"{side}.positions.{table}"] = torch.zeros(nodes, width, dtype=place.dtype)
    ours["encoder.embedding.weight"] = state.pop("patch_embed.proj.weight").flatten(1)
    ours["encoder.embedding.bias"] = state.pop("patch_embed.proj.bias")
    ours["decoder.mask_token"] = state.pop("mask_token")
    for theirs, name in (("decoder_embed", "decoder.embed"), ("decoder_pred", "decoder.head")):
        for part in ("weight", "bias"):
            ours[f"{name}.{part}"] = state.pop(f"{theirs}.{part}")
    for name in list(state):
        if ".attn.q." in name:
            parts = [state.pop(name.replace(".q.", f".{each}.")) for each in "qkv"]
            ours[_our_name(name).replace(".q.", ".qkv.")] = torch.cat(parts)
        elif ".attn.k." not in name and ".attn.v." not in name:
            ours[_our_name(name)] = state.pop(name)
    assert not state, f"tensors left over: {sorted(state)}"
    return ours


def to_released(
    ours: Mapping[str, Tensor], config: ModelConfig, normalization: Normalization | None = None
) -> dict[str, Tensor]:
    """Their tensors from ours, in their order. WeightsError with every reason when the released format cannot hold the
    model, which includes what is not stored and would be read back as something else: heads, normalization (if given).
    """
    problems = []
    native = tuple(group.wavelength for group in config.bands.groups)
    if config.bands.bands != sensor("spectralgpt-12").bands:
        problems.append(f"bands {', '.join(config.bands.names)} instead of the 12 of Sentinel-2")
    if config.spectrum_nodes != native:
        problems.append(f"{len(config.spectrum_nodes)} spectrum nodes instead of one for each band group")
    if config.place_nodes[0] != config.place_nodes[1]:
        problems.append(f"a place table of {config.place_nodes[0]} x {config.place_nodes[1]} instead of a square one")
    size = config.size
    for known, width, heads in (
        (ENCODER_HEADS, size.dim, size.heads),
        (DECODER_HEADS, size.decoder_dim, size.decoder_heads),
    ):
        if known.get(width, heads) != heads:
            problems.append(f"{heads} heads of a width of {width}, which is read back as {known[width]} heads")
    if normalization is not None and normalization != released_normalization():
        problems.append(f"the normalization {normalization.kind} instead of min_max with the released statistics")
    used = [name for name in ours if name.endswith(OWN_TABLES) and bool(ours[name].any())]
    if used:
        problems.append(f"tables for dates and scale that are in use ({', '.join(used)})")
    if problems:
        raise WeightsError(
            f"found {'; '.join(problems)}: the released format cannot hold this. Save to a folder instead."
        )
    released: dict[str, Tensor] = {}
    for name, shape in released_shapes(config).items():
        if name in (
            "pos_embed_spatial",
            "decoder_pos_embed_spatial",
            "pos_embed_temporal",
            "decoder_pos_embed_temporal",
        ):
            side = "decoder" if name.startswith("decoder_") else "encoder"
            table = "place" if name.endswith("spatial") else "spectrum"
            tensor = ours[f"{side}.positions.{table}"]
        elif match := re.search(r"\.attn\.([qkv])\.", name):
            whole = ours[_our_name(name).replace(f".{match[1]}.", ".qkv.")]
            tensor = whole.chunk(3)["qkv".index(match[1])]
        else:
            tensor = ours[_our_name(name)]
        released[name] = tensor.reshape(shape).clone()
    return released


def write_released(path: Path, released: Mapping[str, Tensor]) -> None:
    """A .pth with the state dict under `model`, float32, no prefix; written beside and renamed."""
    beside = path.with_name(f".{path.name}.new")
    try:
        torch.save({"model": {name: tensor.float().cpu() for name, tensor in released.items()}}, beside)
        os.replace(beside, path)
    except (OSError, RuntimeError) as error:  # torch's zip writer reports a full disk as RuntimeError
        with suppress(OSError):
            beside.unlink()
        raise TargetError(f"{path}: found that it cannot be written ({error}); expected a file to write to.") from None


def released_shapes(config: ModelConfig) -> dict[str, tuple[int, ...]]:
    """Names and shapes of the released format, in its order."""
    size, places, groups = config.size, config.place_nodes[0] * config.place_nodes[1], len(config.bands.groups)
    shapes: dict[str, tuple[int, ...]] = {
        "pos_embed_spatial": (1, places, size.dim),
        "pos_embed_temporal": (1, groups, size.dim),
        "mask_token": (1, 1, size.decoder_dim),
        "decoder_pos_embed_spatial": (1, places, size.decoder_dim),
        "decoder_pos_embed_temporal": (1, groups, size.decoder_dim),
        "patch_embed.proj.weight": (size.dim, 1, config.slots, config.patch, config.patch),
        "patch_embed.proj.bias": (size.dim,),
    }
    for prefix, dim, depth in (("", size.dim, size.depth), ("decoder_", size.decoder_dim, size.decoder_depth)):
        if prefix:
            shapes |= {"decoder_embed.weight": (dim, size.dim), "decoder_embed.bias": (dim,)}
        for block in range(depth):
            for layer, out, into in (
                ("norm1", dim, None),
                ("attn.q", dim, dim),
                ("attn.k", dim, dim),
                ("attn.v", dim, dim),
                ("attn.proj", dim, dim),
                ("norm2", dim, None),
                ("mlp.fc1", 4 * dim, dim),
                ("mlp.fc2", dim, 4 * dim),
            ):
                name = f"{prefix}blocks.{block}.{layer}"
                shapes[f"{name}.weight"] = (out,) if into is None else (out, into)
                shapes[f"{name}.bias"] = (out,)
        shapes |= {f"{prefix}norm.weight": (dim,), f"{prefix}norm.bias": (dim,)}
    return shapes | {
        "decoder_pred.weight": (config.token_values, size.decoder_dim),
        "decoder_pred.bias": (config.token_values,),
    }


def _our_name(theirs: str) -> str:
    renamed = {
        "patch_embed.proj": "encoder.embedding",
        "norm": "encoder.norm",
        "decoder_norm": "decoder.norm",
        "decoder_embed": "decoder.embed",
        "decoder_pred": "decoder.head",
    }
    if theirs == "mask_token":
        return "decoder.mask_token"
    if match := _BLOCK.match(theirs):
        return f"{'decoder' if match[1] else 'encoder'}.{theirs.removeprefix('decoder_')}"
    layer, part = theirs.rsplit(".", 1)
    return f"{renamed[layer]}.{part}"


def _depth(state: Mapping[str, Tensor], prefix: str) -> int:
    numbers = [int(match[2]) for name in state if (match := _BLOCK.match(name)) and (match[1] or "") == prefix]
    return max(numbers, default=-1) + 1


def _damaged(path: Path) -> str:
    return f"{path}: found a file that cannot be read to its end; expected a whole checkpoint (.pth). Fetch it again."
