"""The released SpectralGPT checkpoints (.pth) of all four kinds, in and out (Hong et al., IEEE TPAMI 2024)."""

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from spectralgpt.bands import BandSet, sensor
from spectralgpt.errors import OptionError, WeightsError, first_few
from spectralgpt.nn import BandStatistics, DenseConfig, ModelConfig, Normalization, PooledConfig, Size
from spectralgpt.tasks import ChangeConfig, HeadConfig, Task, find
from spectralgpt.weights.released_tensors import (
    OWN_TABLES,
    ReleasedTensor,
    classification_layout,
    dense_layout,
    pretraining_layout,
)
from spectralgpt.weights.store import check_tensors

ENCODER_HEADS, DECODER_HEADS = {768: 12, 1024: 16, 1280: 16}, {512: 16}
"""Heads by width, as no tensor of a checkpoint shows their number."""

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

KINDS = ("pretraining", "classification", "segmentation", "change")
"""The tasks with checkpoints in this format."""

SEGMENTED_BLOCK = 12
"""The released segmentation reads this block, however deep its encoder is."""

UNCONFIGURED = (
    "These are tensors of a model of this package without its configuration: save the model with save_pretrained"
)
"""What to do where the state dict of our own model was saved alone."""

_BLOCK = re.compile(r"(decoder_)?blocks\.(\d+)\.")
_PRETRAINING_DECODER = (512, 4, 16)
"""Width, depth and heads of the decoder in the pretraining of every released size."""


@dataclass(frozen=True, slots=True)
class Released:
    """What a checkpoint of the released format is, except its numbers."""

    task: Task
    config: ModelConfig
    head: HeadConfig | None = None

    @property
    def layout(self) -> list[ReleasedTensor]:
        """Its tensors, in the released order."""
        if isinstance(self.head, PooledConfig):
            return classification_layout(self.config, self.head)
        if isinstance(self.head, DenseConfig):
            return dense_layout(self.config, self.head)
        return pretraining_layout(self.config)

    @property
    def our_shapes(self) -> dict[str, tuple[int, ...]]:
        """Our tensors of the same model."""
        with torch.device("meta"):
            state = self.task.made(self.config, self.head).state_dict()
        return {name: tuple(tensor.shape) for name, tensor in state.items()}


def describe_released(
    state: Mapping[str, Tensor],
    source: str,
    *,
    task: str | None = None,
    heads: int | None = None,
    decoder_heads: int | None = None,
) -> Released:
    """The task, configuration and head of a released state dict, from its names and shapes.

    task: for the dense models, which share all names; without it, two classes mean change detection. heads,
    decoder_heads: for widths of no released size. WeightsError for anything but the four kinds of checkpoints.
    """
    kind = _kind(state, source, task)
    bands, depth = sensor("spectralgpt-12").bands, _depth(state, "")
    try:
        dim, _, slots, patch, _ = state["patch_embed.proj.weight"].shape
        if len(bands) % slots:
            raise WeightsError(f"{source}: found {slots} bands per token", "a number that divides 12")
        groups = len(bands) // slots
        joint = kind == "classification"
        tokens = state["pos_embed"].shape[1] // groups if joint else state["pos_embed_spatial"].shape[1]
        found_groups = groups if joint else state["pos_embed_temporal"].shape[1]
        decoder_dim, decoder_depth, default_heads = _decoder(state, kind)
        head = _head(state, kind, depth)
    except (KeyError, ValueError, IndexError, OptionError) as error:
        raise WeightsError(f"{source}: its tensors do not fit together ({error})") from None
    if found_groups != groups:
        raise WeightsError(f"{source}: found {found_groups} groups of {slots} bands", "12 bands in all")
    if not depth or not decoder_depth:
        raise WeightsError(f"{source}: found {depth} blocks and {decoder_depth} of the decoder", "some of both")
    numbers = heads or ENCODER_HEADS.get(dim, 0), decoder_heads or default_heads
    _check_heads((dim, decoder_dim), numbers, source)
    bandset, side = BandSet.native(bands, slots), math.isqrt(tokens)
    try:
        config = ModelConfig(
            size=Size(dim, depth, numbers[0], decoder_dim, decoder_depth, numbers[1]),
            bands=bandset,
            patch=patch,
            image=side * patch,
            place_nodes=(side, side),
            spectrum_nodes=tuple(group.wavelength for group in bandset.groups),
            joint_positions=joint,
        )
    except (ValueError, OptionError) as error:
        raise WeightsError(f"{source}: its tensors make no model ({error})") from None
    return Released(find(kind), config, head)


def _decoder(state: Mapping[str, Tensor], kind: str) -> tuple[int, int, int]:
    """Width, depth and heads (0: unknown) of the decoder; for models without a decoder, that of their pretraining."""
    if kind != "pretraining":
        return _PRETRAINING_DECODER
    width = state["decoder_embed.weight"].shape[0]
    return width, _depth(state, "decoder_"), DECODER_HEADS.get(width, 0)


def _check_heads(widths: tuple[int, int], heads: tuple[int, int], source: str) -> None:
    """WeightsError for a number of heads that is unknown (0), or that does not divide the width; encoder, decoder."""
    if not all(heads):
        raise WeightsError(
            f"{source}: found widths {widths[0]} and {widths[1]}, for which no tensor shows the number of heads",
            "768, 1024 or 1280 with a decoder of 512",
            "Load it in Python with from_released, which takes the number of heads of encoder and decoder",
        )
    if widths[0] % heads[0] or widths[1] % heads[1]:
        raise WeightsError(
            f"{source}: found widths {widths[0]} and {widths[1]} for {heads[0]} and {heads[1]} heads",
            "heads that divide the widths",
        )


def _kind(state: Mapping[str, Tensor], source: str, asked: str | None) -> str:
    if "decoder_pred.weight" in state and "pos_embed_spatial" in state:
        found = "pretraining"
    elif "head.weight" in state and "pos_embed" in state:
        found = "classification"
    elif "cls_seg.0.weight" in state and "fc.0.weight" in state:
        found = "change" if state["cls_seg.0.weight"].shape[0] == 2 else "segmentation"
        # their names are the same
        found = asked if asked in ("change", "segmentation") else found
    else:
        raise WeightsError(
            f"{source}: found an unknown model of {len(state)} tensors ({first_few(list(state), 6)})",
            "a SpectralGPT checkpoint: pretraining (`decoder_pred.weight`), classification (`head.weight`, "
            "`pos_embed`), segmentation or change detection (`cls_seg.0.weight`, `fc.0.weight`)",
            UNCONFIGURED if "encoder.embedding.weight" in state else "",
        )
    if asked not in (None, found):
        raise WeightsError(f"{source}: found a checkpoint for {found}", f"one for {asked}")
    return found


def _head(state: Mapping[str, Tensor], kind: str, depth: int) -> HeadConfig | None:
    if kind == "pretraining":
        return None
    if kind == "classification":
        return PooledConfig(classes=state["head.weight"].shape[0], skip_first=True)
    widths = tuple(state[f"conv{level}.0.weight"].shape[0] for level in range(4))
    levels = tuple(state[f"conv{level}.3.weight"].shape[1] for level in range(3))
    classes, channels = state["cls_seg.0.weight"].shape[:2]
    assert len(widths) == 4
    assert len(levels) == 3
    if kind == "change":
        return ChangeConfig(classes, widths, levels, channels)
    return DenseConfig(classes, widths, levels, channels, block=SEGMENTED_BLOCK if depth > SEGMENTED_BLOCK else 0)


def released_normalization() -> Normalization:
    """The input units of the released weights: min_max per image, two_sigma by the statistics of fMoW-Sentinel."""
    bands = sensor("spectralgpt-12").bands
    return Normalization(
        "min_max", tuple(BandStatistics(band, *(value / 10_000 for value in STATISTICS[band.name])) for band in bands)
    )


def from_released(state: Mapping[str, Tensor], released: Released, source: str) -> dict[str, Tensor]:
    """Our tensors from the released ones. WeightsError naming every missing, unexpected and misshapen tensor."""
    layout, shapes = released.layout, released.our_shapes
    check_tensors(
        {each.name: each.shape for each in layout}, {name: tuple(each.shape) for name, each in state.items()}, source
    )
    parts: dict[str, list[Tensor]] = {}
    for each in layout:
        parts.setdefault(each.ours, []).append(state[each.name])
    ours = {name: torch.cat(some).reshape(shapes[name]) for name, some in parts.items()}
    dtype = next(iter(ours.values())).dtype
    for name in shapes.keys() - ours.keys():
        assert name.endswith(OWN_TABLES), f"the released format has no place for {name}"
        ours[name] = torch.zeros(shapes[name], dtype=dtype)
    return ours


def to_released(
    ours: Mapping[str, Tensor], released: Released, normalization: Normalization | None = None
) -> dict[str, Tensor]:
    """The released tensors from ours, in the released order.

    A classifier with tables for places and groups gets the joint one that is their sum. WeightsError with every reason
    when the released format cannot hold the model. This includes what is not stored and would be read back as something
    else: heads, normalization (if given).
    """
    problems = _problems(released, normalization)
    used = [name for name in ours if name.endswith(OWN_TABLES) and bool(ours[name].any())]
    if any(name.startswith("read_out.") for name in ours):
        problems.append("a measured read-out")
    if used:
        problems.append(f"tables for dates and scale that are in use ({', '.join(used)})")
    if problems:
        raise WeightsError(
            f"the released format has no place for {'; '.join(problems)}", do="Save the model to a folder instead"
        )
    if released.task.name == "classification" and not released.config.joint_positions:
        place, spectrum = ours["encoder.positions.place"], ours["encoder.positions.spectrum"]
        ours = {**ours, "encoder.positions.joint": spectrum[:, None, None] + place}
    tensors = {}
    for each in released.layout:
        tensor = ours[each.ours]
        part = tensor if each.third is None else tensor.chunk(3)[each.third]
        tensors[each.name] = part.reshape(each.shape).clone()
    return tensors


def _problems(released: Released, normalization: Normalization | None) -> list[str]:
    """What such a model has that the released format has no place for, whatever the values of its tensors."""
    config, head, problems = released.config, released.head, []
    if released.task.name not in KINDS or isinstance(head, PooledConfig | DenseConfig) != bool(released.task.heads):
        return [f"a model for {released.task.name} with a head that no released model has"]
    if config.bands.bands != sensor("spectralgpt-12").bands:
        problems.append(f"bands {', '.join(config.bands.names)} instead of the 12 of Sentinel-2")
    if config.spectrum_nodes != tuple(group.wavelength for group in config.bands.groups):
        problems.append(f"{len(config.spectrum_nodes)} spectrum nodes instead of one per band group")
    if config.place_nodes[0] != config.place_nodes[1]:
        problems.append(f"a place table of {config.place_nodes[0]} x {config.place_nodes[1]} instead of a square one")
    if config.joint_positions and released.task.name != "classification":
        problems.append("a joint position table, which only classifiers have")
    if config.conditional_mean and released.task.name == "pretraining":
        problems.append("a conditional mean, which the decoder's answers are added to")
    size = config.size
    sides = [(ENCODER_HEADS, size.dim, size.heads)]
    if released.task.name == "pretraining":
        sides.append((DECODER_HEADS, size.decoder_dim, size.decoder_heads))
    for known, width, heads in sides:
        if known.get(width, heads) != heads:
            problems.append(f"{heads} heads at width {width}, which would be read back as {known[width]} heads")
    if isinstance(head, PooledConfig) and (head.hidden or not head.skip_first):
        problems.append("a head with a hidden layer, or with the first token in its mean")
    if isinstance(head, DenseConfig):
        if (head.classes == 2) != (released.task.name == "change"):
            problems.append(f"{head.classes} classes for {released.task.name} (two are read back as change detection)")
        read = SEGMENTED_BLOCK if released.task.name == "segmentation" and size.depth > SEGMENTED_BLOCK else size.depth
        if (head.block or size.depth) != read:
            problems.append(f"a head on block {head.block} instead of {read}")
        if isinstance(head, ChangeConfig) and head.combine != "difference":
            problems.append(f"the {head.combine} of both times instead of their difference")
    if normalization is not None and normalization != released_normalization():
        problems.append(f"normalization {normalization.kind} instead of min_max with the released statistics")
    return problems


def _depth(state: Mapping[str, Tensor], prefix: str) -> int:
    numbers = [int(match[2]) for name in state if (match := _BLOCK.match(name)) and (match[1] or "") == prefix]
    return max(numbers, default=-1) + 1
