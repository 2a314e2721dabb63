"""Small models with every head, and cubes with absent parts."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor

from made_cubes import NATIVE, SIZE
from spectralgpt.nn import Backbone, Cube, DenseConfig, LightConfig, ModelConfig, PooledConfig
from spectralgpt.tasks import ChangeConfig, ChangeDetection, Classification, LightChange, Segmentation

# two channels per group of the levels' norms: with one, a bias before a norm has no effect
SMALL: dict[str, Any] = {"widths": (64, 64, 64, 64), "levels": (16, 32, 48), "channels": 32}
LIGHT: dict[str, Any] = {"channels": 32, "fine": 16}
HEADS: dict[str, Callable[[ModelConfig], Backbone]] = {
    "pooled": lambda config: Classification(config, PooledConfig(5, dropout=0.3)),
    "hidden": lambda config: Classification(config, PooledConfig(5, hidden=24, dropout=0.3)),
    "skip first": lambda config: Classification(config, PooledConfig(5, skip_first=True, dropout=0.3)),
    "several": lambda config: Classification(config, PooledConfig(5, several=True, dropout=0.3)),
    "segmentation": lambda config: Segmentation(config, DenseConfig(4, **SMALL)),
    "difference": lambda config: ChangeDetection(config, ChangeConfig(**SMALL)),
    "concatenation": lambda config: ChangeDetection(config, ChangeConfig(combine="concatenation", **SMALL)),
    "light": lambda config: Segmentation(config, LightConfig(4, **LIGHT)),
    "light difference": lambda config: ChangeDetection(config, LightChange(**LIGHT)),
    "light distance": lambda config: ChangeDetection(config, LightChange(combine="distance", **LIGHT)),
    "light concatenation": lambda config: ChangeDetection(config, LightChange(combine="concatenation", **LIGHT)),
}
DENSE = (
    "segmentation",
    "difference",
    "concatenation",
    "light",
    "light difference",
    "light distance",
    "light concatenation",
)
"""Heads that answer per pixel."""
CHANGE = ("difference", "concatenation", "light difference", "light distance", "light concatenation")


def made(name: str, seed: int = 0, **options: Any) -> Any:
    """The model of a head in evaluation mode; no parameter is zero."""
    torch.manual_seed(seed)
    model = HEADS[name](ModelConfig(**({"size": SIZE, "bands": NATIVE} | options)))
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(torch.randn_like(parameter) * 0.05)
    return model.eval()


def holes(cube: Cube, what: str) -> Tensor:
    """Validity of a cube of at least two dates and samples, with parts of the first sample absent, and some pixels of
    all."""
    generator = torch.Generator().manual_seed(7)
    valid = torch.rand(cube.shape, generator=generator) > 0.1
    group = torch.tensor(cube.bands.group_of_band) == 1
    if what == "group":
        valid[0, :, group] = False
    elif what == "date":
        valid[0, 1] = False
    elif what == "region":
        valid[0, :, :, :16, 8:24] = False
    elif what == "sample":
        valid[0] = False
    return valid


ABSENT = ("group", "date", "region", "sample")


def taken(cube: Cube, index: list[int]) -> Cube:
    """The cube of these samples."""
    return replace(
        cube,
        values=cube.values[index],
        valid=None if cube.valid is None else cube.valid[index],
        days=cube.days[index],
        gsd=cube.gsd[index],
        scaling=replace(cube.scaling, centre=cube.scaling.centre[index], scale=cube.scaling.scale[index]),
    )


def with_dates(cube: Cube, order: list[int]) -> Cube:
    """The cube of these dates, in this order, with unknown days."""
    return replace(
        cube,
        values=cube.values[:, order],
        valid=None if cube.valid is None else cube.valid[:, order],
        days=torch.full_like(cube.days[:, order], -1),
        scaling=replace(cube.scaling, centre=cube.scaling.centre[:, order], scale=cube.scaling.scale[:, order]),
    )
