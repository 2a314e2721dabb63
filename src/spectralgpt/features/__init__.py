"""Features of images, places and pixels for labelled data: of frozen models and of baselines, cached by content.

`EncoderImages` and `EncoderPlaces` make them from a frozen model, `ImageProbabilities` and `PixelProbabilities` answer
with weights that have a head; `image_vectors` and `PixelFeatures` make them for a labelled set, each image once.
"""

from spectralgpt.features.cache import Cache, cache_folder, content_of
from spectralgpt.features.encoder import EncoderImages, EncoderPlaces
from spectralgpt.features.heads import ImageProbabilities, PixelProbabilities
from spectralgpt.features.images import ImageVectors, image_vectors
from spectralgpt.features.makers import ImageMaker, PlaceMaker
from spectralgpt.features.pixels import PixelFeatures, PlaceMaps
from spectralgpt.features.probe import Probe
from spectralgpt.features.probed_pixels import ProbedPixels
from spectralgpt.features.square_answers import SquareAnswers

__all__ = [
    "Cache",
    "EncoderImages",
    "EncoderPlaces",
    "ImageMaker",
    "ImageProbabilities",
    "ImageVectors",
    "PixelFeatures",
    "PixelProbabilities",
    "PlaceMaker",
    "PlaceMaps",
    "Probe",
    "ProbedPixels",
    "SquareAnswers",
    "cache_folder",
    "content_of",
    "image_vectors",
]
