"""Images to tokens and back.

A token holds slots x patch rows x patch columns values in this order; tokens run date, group, row, column
(with one date the order of the paper's code: band group slowest, then patch row, then patch column).
"""

import torch.nn.functional as F
from jaxtyping import Bool, Shaped
from torch import Tensor


def padded_side(side: int, patch: int) -> int:
    """The side rounded up to whole patches, in pixels."""
    return -(-side // patch) * patch


def pad(image: Shaped[Tensor, "*axes height width"], patch: int, value: float) -> Shaped[Tensor, "*axes rows columns"]:
    """The image padded with `value` at the right and bottom to whole patches."""
    height, width = image.shape[-2:]
    down, right = padded_side(height, patch) - height, padded_side(width, patch) - width
    return F.pad(image, (0, right, 0, down), value=value) if down or right else image


def to_tokens(
    slots: Shaped[Tensor, "batch date group slot height width"], patch: int
) -> Shaped[Tensor, "batch token value"]:
    """Tokens of an image with sides of whole patches."""
    n, t, g, u, h, w = slots.shape
    rows, columns = h // patch, w // patch
    split = slots.reshape(n, t, g, u, rows, patch, columns, patch)
    return split.permute(0, 1, 2, 4, 6, 3, 5, 7).reshape(n, t * g * rows * columns, u * patch * patch)


def to_slots(
    tokens: Shaped[Tensor, "batch token value"], patch: int, dates: int, groups: int, rows: int, columns: int
) -> Shaped[Tensor, "batch date group slot height width"]:
    """The image of the tokens: the inverse of to_tokens."""
    n, _, values = tokens.shape
    u = values // patch**2
    split = tokens.reshape(n, dates, groups, rows, columns, u, patch, patch)
    return split.permute(0, 1, 2, 5, 3, 6, 4, 7).reshape(n, dates, groups, u, rows * patch, columns * patch)


def present_tokens(
    valid: Bool[Tensor, "batch date group slot height width"], patch: int
) -> Bool[Tensor, "batch token"]:
    """True for a token with at least one valid pixel in one of its bands; the others are absent."""
    return to_tokens(valid, patch).any(dim=-1)
