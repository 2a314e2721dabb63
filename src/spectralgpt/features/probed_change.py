"""What a probe of changes answers about the pixels of a scene, some rows at a time."""

from collections.abc import Iterator

import numpy as np
from jaxtyping import UInt8

from spectralgpt.evaluation import answers
from spectralgpt.evaluation.pixels import strips
from spectralgpt.features.probe import Probe
from spectralgpt.raster import Readable


def probed_change(probe: Probe, image: Readable, nodata: int) -> Iterator[UInt8[np.ndarray, "row column"]]:
    """The classes of rows from the top, `nodata` where a date has no valid pixel: those of `Probe.predict`.

    image: two dates, before and after. The vectors of all its places are in memory. BandError where the model
    recognizes none of its bands.
    """
    dense = probe.dense(image)
    for window in strips(*dense.shape(0)):
        valid = dense.valid(0, window)
        found = np.full(valid.shape, nodata, np.uint8)
        if valid.any():
            likely = probe.fitted.probabilities(dense.features(0, window)[valid])
            found[valid] = answers(likely, probe.thresholds).argmax(axis=-1)
        yield found
