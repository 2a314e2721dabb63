"""Parameter groups with their weight decay and learning rates, and the optimizer."""

from typing import Any

import torch
from torch import nn

from spectralgpt.nn import Backbone


def parameter_groups(model: nn.Module, weight_decay: float) -> list[dict[str, Any]]:
    """Two groups: parameters of one dimension (biases, norms) without weight decay, all others with it.

    Position tables and the mask token have more dimensions and are decayed, as in the pretraining of the paper.
    """
    parameters = [parameter for parameter in model.parameters() if parameter.requires_grad]
    return [
        {"params": [each for each in parameters if each.ndim <= 1], "weight_decay": 0.0, "lr_scale": 1.0},
        {"params": [each for each in parameters if each.ndim > 1], "weight_decay": weight_decay, "lr_scale": 1.0},
    ]


def layer_groups(
    model: Backbone, weight_decay: float, layer_decay: float, head_factor: float = 1.0
) -> list[dict[str, Any]]:
    """Groups for fine-tuning, per layer one with and one without weight decay, each with its `lr_scale`.

    The `lr_scale` of layer i of n is layer_decay^(n - i): embedding and position tables are layer 0, block i (from 1)
    is layer i, everything else is layer n = depth + 1, with head_factor in place of 1. Not decayed: parameters of one
    dimension and position tables, as in the fine-tuning of the paper; the authors' code, however, gives separate tables
    the full rate.
    """
    groups: dict[tuple[int, bool], dict[str, Any]] = {}
    top = model.config.size.depth + 1
    layers = model.parameter_layers()
    for name, parameter in model.named_parameters():
        if parameter.requires_grad:
            layer = layers[name]
            decayed = parameter.ndim > 1 and ".positions." not in name
            group = groups.setdefault(
                (layer, decayed),
                {
                    "params": [],
                    "weight_decay": weight_decay if decayed else 0.0,
                    "lr_scale": head_factor if layer == top else layer_decay ** (top - layer),
                },
            )
            group["params"].append(parameter)
    return list(groups.values())


def make_optimizer(
    model: nn.Module,
    *,
    lr: float,
    weight_decay: float = 0.05,
    betas: tuple[float, float] = (0.9, 0.95),
    layer_decay: float | None = None,
    head_factor: float = 1.0,
) -> torch.optim.AdamW:
    """Fused AdamW with the defaults of the paper for pretraining; with layer_decay or head_factor, in groups for
    fine-tuning (`layer_groups`).

    The rate of a group is that of the schedule times its `lr_scale`.
    """
    if layer_decay is None and head_factor == 1:
        groups = parameter_groups(model, weight_decay)
    else:
        assert isinstance(model, Backbone), "layer-wise rates need a model with layers"
        groups = layer_groups(model, weight_decay, 1.0 if layer_decay is None else layer_decay, head_factor)
    return torch.optim.AdamW(groups, lr=lr, betas=betas, eps=1e-8, fused=True)
