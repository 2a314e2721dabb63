"""Features of pixels of a labelled set, as the evaluation reads them: by windows."""

import numpy as np
from jaxtyping import Bool, Float32, Int16

from spectralgpt.data.labels import LabelledImage, LabelledSet
from spectralgpt.features.baselines.baseline import PixelMaker
from spectralgpt.features.recent import Recent
from spectralgpt.raster import Window

CACHED_IMAGES = 2
"""Images whose pixels and features are kept, as their windows are asked for one after the other."""

OfPixels = tuple[Float32[np.ndarray, "row column value"], Bool[np.ndarray, "row column"]]
"""Features of all pixels of an image, and which have some."""


class BaselinePixels:
    """A baseline's features of the pixels of a labelled set of masks or of pairs. Thread-safe."""

    def __init__(self, data: LabelledSet, maker: PixelMaker):
        self.data, self.maker = data, maker
        self._samples = Recent(data.read, CACHED_IMAGES)
        self._features: Recent[OfPixels] = Recent(lambda index: maker.of(self._samples.of(index).image), CACHED_IMAGES)

    def __len__(self) -> int:
        """Number of images."""
        return len(self.data.samples)

    def name(self, index: int) -> str:
        """Of an image, unique in the set."""
        return self.data.samples[index].name

    def shape(self, index: int) -> tuple[int, int]:
        """Rows and columns of an image."""
        rows, columns = self.truth(index).shape
        return rows, columns

    def truth(self, index: int) -> Int16[np.ndarray, "row column"]:
        """Indices of classes, -1 where ignored."""
        sample: LabelledImage = self._samples.of(index)
        assert sample.mask is not None, "features of pixels are for masks"
        return sample.mask

    def features(self, index: int, window: Window) -> Float32[np.ndarray, "row column value"]:
        """Of a window; the same numbers, whatever the window."""
        return self._features.of(index)[0][window.slices]

    def valid(self, index: int, window: Window) -> Bool[np.ndarray, "row column"]:
        """Which pixels of a window have features."""
        return self._features.of(index)[1][window.slices]
