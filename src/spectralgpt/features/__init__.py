"""Features of images, places and pixels for labelled data: of frozen models and of baselines, cached by content."""

from spectralgpt.features.makers import ImageMaker, PlaceMaker

__all__ = ["ImageMaker", "PlaceMaker"]
