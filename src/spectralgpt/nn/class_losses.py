"""Losses of answers in classes: cross-entropy, binary cross-entropy, their focal forms, and dice.

Each comes as a sum and a count that depends on the targets only, so that accumulated batches and several processes can
divide by the whole count. What is not known takes part in neither, whatever target, or answer, stands there.
"""

import numpy as np
import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float, Float64, Int, Int64, Integer, Real
from torch import Tensor

from spectralgpt.errors import OptionError
from spectralgpt.nn.losses import LossTerm

LEAST_DOUBT = 1e-7
"""Least distance from certainty in a focal loss: a fractional power has no gradient at 0."""


def class_loss(
    logits: Float[Tensor, "batch class *axes"],
    target: Integer[Tensor, "batch *axes"] | Float[Tensor, "batch class *axes"],
    known: Bool[Tensor, "batch *axes"] | None = None,
    *,
    weights: Float[Tensor, " class"] | None = None,
    smoothing: float | int = 0.0,
    focus: float | int = 0.0,
) -> LossTerm:
    """Cross-entropy of one class per image or pixel: sum over c of w_c q_c (1 - p_c)^focus (-log p_c).

    target: the class, or shares of the classes (of mixed images). q: the target with `smoothing` of it spread evenly
    over all classes. known: where there is a target; None: everywhere. focus: 0 for plain cross-entropy; 2 is usual for
    the focal loss (Lin et al., ICCV 2017), which counts what is already right for less. The count is `class_count`.
    """
    logits = _exact(logits, None if known is None else known[:, None])
    log_p = logits.log_softmax(dim=1)
    terms = -log_p
    if focus:
        terms = terms * (-torch.expm1(log_p)).clamp(min=LEAST_DOUBT) ** focus
    if weights is not None:
        terms = terms * _along_classes(weights, logits)
    loss = (
        terms.gather(1, _codes(target, known)[:, None])[:, 0]
        if _hard(target)
        else (_soft(target, known) * terms).sum(1)
    )
    if smoothing:
        loss = (1 - smoothing) * loss + smoothing * terms.mean(dim=1)
    if known is not None:
        loss = torch.where(known, loss, 0.0)
    return LossTerm(loss.sum(), class_count(target, known, weights))


def class_count(
    target: Integer[Tensor, "batch *axes"] | Float[Tensor, "batch class *axes"],
    known: Bool[Tensor, "batch *axes"] | None = None,
    weights: Float[Tensor, " class"] | None = None,
) -> Real[Tensor, ""]:
    """The divisor of `class_loss`: the number of known targets, or the sum of their classes' weights."""
    if weights is None:
        count = target.numel() if _hard(target) else target.numel() // target.shape[1]
        return torch.full((), count, device=target.device) if known is None else known.sum()
    if not _hard(target):
        return (_soft(target, known) * _along_classes(weights, target)).sum()
    each = weights[_codes(target, known)]
    return (each if known is None else torch.where(known, each, 0.0)).sum()


def label_loss(
    logits: Float[Tensor, "batch class *axes"],
    target: Float[Tensor, "batch class *axes"],
    known: Bool[Tensor, "batch #class *axes"] | None = None,
    *,
    positive: Float[Tensor, " class"] | None = None,
    smoothing: float | int = 0.0,
    focus: float | int = 0.0,
) -> LossTerm:
    """Binary cross-entropy of several labels: t w (1 - p)^focus (-log p) + (1 - t) p^focus (-log(1 - p)) per label.

    target: 1 where a label applies, 0 where it does not, shares in mixed images; t is moved by `smoothing` towards 1/2.
    known: where there is a target, per label or for all labels together; None: everywhere. positive: weights w of the
    labels that apply. focus: as for `class_loss`. The count is `label_count`.
    """
    logits = _exact(logits, known)
    target = target if known is None else torch.where(known, target, 0.0)
    if smoothing:
        target = (1 - smoothing) * target + smoothing / 2
    applies, not_ = -F.logsigmoid(logits), -F.logsigmoid(-logits)
    if focus:
        applies = applies * (-logits).sigmoid().clamp(min=LEAST_DOUBT) ** focus
        not_ = not_ * logits.sigmoid().clamp(min=LEAST_DOUBT) ** focus
    if positive is not None:
        applies = applies * _along_classes(positive, logits)
    loss = target * applies + (1 - target) * not_
    if known is not None:
        loss = torch.where(known, loss, 0.0)
    return LossTerm(loss.sum(), label_count(target, known))


def label_count(
    target: Float[Tensor, "batch class *axes"], known: Bool[Tensor, "batch #class *axes"] | None = None
) -> Int[Tensor, ""]:
    """The divisor of `label_loss`: the number of known labels."""
    if known is None:
        return torch.full((), target.numel(), device=target.device)
    return known.expand_as(target).sum()


def dice_loss(
    logits: Float[Tensor, "batch class height width"],
    target: Integer[Tensor, "batch height width"],
    known: Bool[Tensor, "batch height width"] | None = None,
) -> LossTerm:
    """1 - 2 sum(p t) / (sum(p) + sum(t)), for each image and each class that has pixels in it.

    The sums are over the known pixels of one image, not of the batch: a quotient of sums over a batch is no sum over
    its images, so its value and gradient would depend on how a step is divided into micro-batches and processes. What
    this leaves out is false answers for classes that an image does not have; cross-entropy beside it counts them.
    The count is `dice_count`.
    """
    p = _exact(logits, None if known is None else known[:, None]).softmax(dim=1)
    if known is not None:
        p = torch.where(known[:, None], p, 0.0)
    truth = _truth(target, known, logits.shape[1])
    pixels = truth.sum(dim=(2, 3))
    whole = p.sum(dim=(2, 3)) + pixels
    there = pixels > 0
    dice = 2 * torch.where(truth, p, 0.0).sum(dim=(2, 3)) / torch.where(there, whole, 1.0)
    return LossTerm(torch.where(there, 1 - dice, 0.0).sum(), there.sum())


def dice_count(
    target: Integer[Tensor, "batch height width"], known: Bool[Tensor, "batch height width"] | None, classes: int
) -> Int[Tensor, ""]:
    """The divisor of `dice_loss`: the number of classes with known pixels, over all images."""
    return _truth(target, known, classes).flatten(2).any(dim=2).sum()


def class_weights(counts: Int64[np.ndarray, " class"], power: float | int = 0.5) -> Float64[np.ndarray, " class"]:
    """Weights of classes with these numbers of images or pixels: 1 / count^power, divided by their mean.

    power: 0 for equal weights, 1 so that all classes weigh the same together. A class without any has weight 0 and no
    part in the mean. OptionError where no class has any.
    """
    some = counts > 0
    if not some.any():
        raise OptionError(f"found {len(counts)} classes without any target", "targets of at least one class")
    weights = np.where(some, np.where(some, counts, 1).astype(np.float64) ** -float(power), 0.0)
    return np.asarray(weights / weights[some].mean())


def positive_weights(
    counts: Int64[np.ndarray, " class"], known: Int64[np.ndarray, " class"], power: float | int = 0.5
) -> Float64[np.ndarray, " class"]:
    """Weights of the labels that apply to `counts` of `known` images: (those without it / those with it)^power; 1 for a
    label that applies to none, or to all, as then nothing can be balanced."""
    both = (counts > 0) & (counts < known)
    ratio = np.where(both, known - counts, 1) / np.where(both, counts, 1)
    return np.asarray(ratio ** float(power))


def _exact(
    logits: Float[Tensor, "batch class *axes"], known: Bool[Tensor, "batch #class *axes"] | None
) -> Float[Tensor, "batch class *axes"]:
    """At least float32 (under autocast they are bfloat16), 0 where not known: 0 times a NaN's gradient is NaN."""
    logits = logits.to(torch.promote_types(logits.dtype, torch.float32))
    return logits if known is None else torch.where(known, logits, 0.0)


def _hard(target: Tensor) -> bool:
    return not target.is_floating_point()


def _codes(
    target: Integer[Tensor, "batch *axes"], known: Bool[Tensor, "batch *axes"] | None
) -> Int64[Tensor, "batch *axes"]:
    """The classes, 0 where not known: any code may stand there."""
    return target.long() if known is None else torch.where(known, target.long(), 0)


def _soft(
    target: Float[Tensor, "batch class *axes"], known: Bool[Tensor, "batch *axes"] | None
) -> Float[Tensor, "batch class *axes"]:
    return target if known is None else torch.where(known[:, None], target, 0.0)


def _truth(
    target: Integer[Tensor, "batch height width"], known: Bool[Tensor, "batch height width"] | None, classes: int
) -> Bool[Tensor, "batch class height width"]:
    """Where each class is the known target."""
    each = target[:, None] == torch.arange(classes, device=target.device)[:, None, None]
    return each if known is None else each & known[:, None]


def _along_classes(weights: Float[Tensor, " class"], like: Float[Tensor, "batch class *axes"]) -> Tensor:
    return weights.reshape(-1, *[1] * (like.ndim - 2))
