"""Descriptors beside the features of a model: a part of their own, under their own name."""

from typing import Literal

from spectralgpt.features.baselines import find
from spectralgpt.features.makers import ImageMaker

BesideName = Literal["handmade"]
"""Baselines whose vectors of images may stand beside those of a model."""


def makers_beside(beside: BesideName | None) -> tuple[ImageMaker, ...]:
    """What makes the vectors beside a model's; nothing without a name.

    They are made, kept in the cache and written apart from those of the model. Methods that are fitted to both get the
    number of values of each as `parts` (`evaluation.Parted`).
    """
    maker = None if beside is None else find(beside).images
    return () if maker is None else (maker,)


def title_with(title: str, beside: BesideName | None) -> str:
    """Features of a model in words, with those beside them."""
    return " and ".join([title, *(maker.name for maker in makers_beside(beside))])
