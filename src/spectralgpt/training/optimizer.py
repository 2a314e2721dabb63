"""Which parameters are decayed, and the optimizer over them."""

from typing import Any

import torch
from torch import nn


def parameter_groups(model: nn.Module, weight_decay: float) -> list[dict[str, Any]]:
    """Two groups: without weight decay what has one dimension (biases, norms), with it all else.

    Position tables and the mask token have more and are decayed, as in the paper's pretraining.
    """
    parameters = [parameter for parameter in model.parameters() if parameter.requires_grad]
    return [
        {"params": [each for each in parameters if each.ndim <= 1], "weight_decay": 0.0},
        {"params": [each for each in parameters if each.ndim > 1], "weight_decay": weight_decay},
    ]


def make_optimizer(
    model: nn.Module, *, lr: float, weight_decay: float = 0.05, betas: tuple[float, float] = (0.9, 0.95)
) -> torch.optim.AdamW:
    """Fused AdamW with the paper's defaults for pretraining."""
    return torch.optim.AdamW(parameter_groups(model, weight_decay), lr=lr, betas=betas, eps=1e-8, fused=True)
