"""Features of the pixels of a labelled set from those of places, as the evaluation reads them: by windows."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float32, Int16

from spectralgpt.bands import BandSet, align
from spectralgpt.data.labels import LabelledImage, LabelledSet
from spectralgpt.errors import InputError
from spectralgpt.features.cache import Cache, content_of
from spectralgpt.features.makers import PlaceMaker
from spectralgpt.features.recent import Recent
from spectralgpt.features.upsampling import at_pixels
from spectralgpt.nn import aligned_reflectance
from spectralgpt.progress import Progress, silent
from spectralgpt.raster import Pixels, Readable, Window
from spectralgpt.tasks import TargetKind

HELD_IMAGES = 3
"""Images of which places (and pixels, where these are in memory) are kept, as windows come image by image."""

LINEAR_BELOW = 0.02
"""Reflectance: spectra are asinh(r / 0.02), as in the normalization of our own weights."""

PLACES, VALID = "places", "valid"


@dataclass(frozen=True, slots=True, eq=False)
class PlaceMaps:
    """Vectors of places of each date, and which have one; both as the maker gives them."""

    values: Float32[np.ndarray, "date row column value"]
    valid: Bool[np.ndarray, "date row column"]

    def mean(self) -> tuple[Float32[np.ndarray, "row column value"], Bool[np.ndarray, "row column"]]:
        """Over the dates that are valid."""
        return _mean(self.values, self.valid), np.asarray(self.valid.any(axis=0))

    def change(self) -> tuple[Float32[np.ndarray, "row column value"], Bool[np.ndarray, "row column"]]:
        """|after - before| and after - before, where both are valid."""
        before, after = self.values
        difference = after - before
        return np.concatenate([np.abs(difference), difference], axis=-1), self.valid[0] & self.valid[1]


class PixelFeatures:
    """Features of the pixels of a labelled set of masks or of changes. Thread-safe.

    For masks: the vector of the place, interpolated, and the pixel's own spectrum; of several dates, means over those
    that are valid. For changes: |after - before| and after - before of the vectors of places, interpolated, then after
    - before of the spectra, and the spectrum before. Spectra are in the bands of `bands`, in their order, as asinh(r /
    0.02) of the reflectance r, 0 where a band is missing or not valid.

    maker: of the places. own: spectra of the file's bands instead. A pixel is valid where any band is, for changes at
    both dates; what is labelled elsewhere stays labelled. The places of an image are made once and kept in the cache,
    in memory only those of a few images.
    """

    def __init__(
        self, data: LabelledSet, maker: PlaceMaker, bands: BandSet, *, own: bool = False, cache: Cache | None = None
    ) -> None:
        assert data.target in ("mask", "change"), f"features of pixels are for masks, not for {data.target}"
        self.data, self.maker, self.bands, self.own = data, maker, bands, own
        self.cache = Cache(None) if cache is None else cache
        self._samples = Recent(data.read, HELD_IMAGES)
        self._places = Recent(self._made, HELD_IMAGES)
        self._identity: str | None = None

    def __len__(self) -> int:
        """Number of images."""
        return len(self.data.samples)

    def name(self, index: int) -> str:
        """Of an image, unique in the set."""
        return self.data.samples[index].name

    def shape(self, index: int) -> tuple[int, int]:
        """Rows and columns of an image."""
        rows, columns = self._image(index).shape[2:]
        return rows, columns

    def truth(self, index: int) -> Int16[np.ndarray, "row column"]:
        """Indices of classes, -1 where ignored or not labelled."""
        mask = self._sample(index).mask
        assert mask is not None, "a set of masks has them"
        return mask

    def features(self, index: int, window: Window) -> Float32[np.ndarray, "row column value"]:
        """Of a window; the same numbers whatever the window."""
        maps = self._places.of(index)
        return joined_features(self.data.target, maps, self.maker.reduce, *self._spectra(index, window), window)

    def valid(self, index: int, window: Window) -> Bool[np.ndarray, "row column"]:
        """Which pixels of a window have features."""
        _, valid = self._spectra(index, window)
        return with_features(self.data.target, valid)

    def prepare(self, progress: Progress = silent) -> None:
        """Make the places of all images, so that the cache has them. progress: stage "features"."""
        progress("features", 0, len(self))
        for index in range(len(self)):
            self._places.of(index)
            progress("features", index + 1, len(self))

    # -- inside ------------------------------------------------------------------------------------------------------

    def _sample(self, index: int) -> LabelledImage:
        return self._samples.of(index)

    def _image(self, index: int) -> Readable:
        return self._sample(index).image

    def _spectra(
        self, index: int, window: Window
    ) -> tuple[Float32[np.ndarray, "date row column band"], Bool[np.ndarray, "date row column"]]:
        return spectra(self._image(index).read(window), self.bands, self.own)

    def _made(self, index: int) -> PlaceMaps:
        image = self._image(index)
        if self._identity is None:
            self._identity = self.maker.identity
        key = self.cache.key(self._identity, content_of(image))
        held = self.cache.get(key)
        if held is not None and {PLACES, VALID} <= held.keys():
            return PlaceMaps(held[PLACES], held[VALID])
        try:
            maps = PlaceMaps(*self.maker.of(image))
        except InputError as error:
            raise error.about(f"{self.data.source}: {self.data.samples[index].name}") from None
        self.cache.put(key, {PLACES: maps.values, VALID: maps.valid})
        return maps


def spectra(
    pixels: Pixels, bands: BandSet, own: bool
) -> tuple[Float32[np.ndarray, "date row column band"], Bool[np.ndarray, "date row column"]]:
    """asinh(r / 0.02) of the reflectance r in these bands (own: in those of the file), 0 where missing or not valid;
    and where any band is valid. BandError where none of the file's bands is one of these."""
    alignment = align(pixels.bands, bands, own=own)
    reflectance, known = aligned_reflectance(pixels, alignment)
    values = np.arcsinh(reflectance[0].numpy() / np.float32(LINEAR_BELOW)).transpose(0, 2, 3, 1)
    valid = np.ones(values.shape[:3], bool) if known is None else np.asarray(known[0].numpy().any(axis=1))
    if own:
        return values, valid
    every = np.zeros((*values.shape[:3], len(bands)), np.float32)
    every[..., [bands.bands.index(band) for band in alignment.bandset.bands]] = values
    return every, valid


def joined_features(
    target: TargetKind,
    maps: PlaceMaps,
    reduce: int,
    values: Float32[np.ndarray, "date row column band"],
    valid: Bool[np.ndarray, "date row column"],
    window: Window,
) -> Float32[np.ndarray, "row column value"]:
    """The features of the pixels of a window, as PixelFeatures describes them. target: masks or changes. reduce: pixels
    along a place. values, valid: the `spectra` of the window, which lies on the maps."""
    if target == "change":
        places, known = maps.change()
        beside = [values[1] - values[0], values[0]]
    else:
        places, known = maps.mean()
        beside = [_mean(values, valid)]
    return np.concatenate([at_pixels(places, known, reduce, window), *beside], axis=-1)


def with_features(target: TargetKind, valid: Bool[np.ndarray, "date row column"]) -> Bool[np.ndarray, "row column"]:
    """Which pixels have features: for changes those that are valid at both dates, else those that are at any."""
    return np.asarray(valid.all(axis=0) if target == "change" else valid.any(axis=0))


def _mean(
    values: Float32[np.ndarray, "date row column value"], valid: Bool[np.ndarray, "date row column"]
) -> Float32[np.ndarray, "row column value"]:
    """Over the dates that are valid; 0 where none is."""
    total = (values * valid[..., None]).sum(axis=0)
    return np.asarray(total / np.maximum(valid.sum(axis=0), 1).astype(np.float32)[..., None])
