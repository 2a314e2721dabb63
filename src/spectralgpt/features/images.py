"""The vectors of a labelled set's images, each made once."""

import os
from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Float32

from spectralgpt.data.labels import LabelledSet
from spectralgpt.data.loader import prefetched
from spectralgpt.data.sample_hashes import sample_hashes
from spectralgpt.errors import DataError, InputError
from spectralgpt.features.cache import Cache, content_of
from spectralgpt.features.makers import ImageMaker
from spectralgpt.progress import Progress, silent
from spectralgpt.raster import Pixels

MADE_TOGETHER = 32
"""Images of one shape that a maker is given at once."""

WAITING = 4 * MADE_TOGETHER
"""Images of different shapes that wait for others of their shape, at most."""

READERS = min(4, os.cpu_count() or 1)
"""Threads that read images ahead."""

VECTOR = "vector"


@dataclass(frozen=True, slots=True, eq=False)
class ImageVectors:
    """Of each image of a set, in its order. contents: `content_of` each, the same for equal images. hashes: of its
    dates and chips (`sample_hashes`), to find it among the images of a training."""

    values: Float32[np.ndarray, "image value"]
    contents: tuple[str, ...]
    hashes: tuple[frozenset[str], ...]


@dataclass(frozen=True, slots=True, eq=False)
class _Read:
    """An image that was read. pixels: None where its vector was in the cache."""

    index: int
    content: str
    key: str
    hashes: frozenset[str]
    pixels: Pixels | None
    vector: Float32[np.ndarray, " value"] | None


def image_vectors(
    data: LabelledSet,
    maker: ImageMaker,
    cache: Cache,
    progress: Progress = silent,
    *,
    sides: Iterable[int] = (),
    readers: int = READERS,
) -> ImageVectors:
    """The vectors of all images of a set, from the cache where it has them.

    Threads read ahead while vectors are made. sides: of chips, for the hashes. progress: stage "features". Raises
    InputError, naming the image, where it cannot be read or its bands cannot be used; DataError where vectors differ in
    length.
    """
    sides, identity, total = tuple(sides), maker.identity, len(data.samples)
    vectors: dict[int, Float32[np.ndarray, " value"]] = {}
    about: dict[int, tuple[str, frozenset[str]]] = {}

    def read(index: int) -> _Read:
        pixels = data.read(index).image.read()
        content = content_of(pixels)
        key = cache.key(identity, content)
        held = (cache.get(key) or {}).get(VECTOR)
        return _Read(index, content, key, sample_hashes(pixels, sides), pixels if held is None else None, held)

    progress("features", 0, total)
    with closing(prefetched(read, range(total), readers)) as images:
        for together in _together(images):
            made = _made(data, maker, together)
            for each, vector in zip(together, made, strict=True):
                if each.vector is None:
                    cache.put(each.key, {VECTOR: vector})
                vectors[each.index], about[each.index] = vector, (each.content, each.hashes)
            progress("features", len(vectors), total)
    rows = [vectors[index] for index in range(total)]
    _check_lengths(data, rows)
    values = np.stack(rows) if rows else np.empty((0, 0), np.float32)
    contents, hashes = zip(*(about[index] for index in range(total)), strict=True) if total else ((), ())
    return ImageVectors(values, contents, hashes)


def _together(images: Iterable[_Read]) -> Iterator[list[_Read]]:
    """Images that a maker can be given at once; those with a vector alone, as they come."""
    waiting: dict[Any, list[_Read]] = {}
    for image in images:
        if image.pixels is None:
            yield [image]
            continue
        kind = _kind(image.pixels)
        alike = waiting.setdefault(kind, [])
        alike.append(image)
        if len(alike) == MADE_TOGETHER:
            yield waiting.pop(kind)
        elif sum(map(len, waiting.values())) > WAITING:
            yield waiting.pop(max(waiting, key=lambda each: len(waiting[each])))
    yield from waiting.values()


def _kind(pixels: Pixels) -> Any:
    """What images have in common that a maker can be given at once."""
    units = (tuple(map(float, each)) for each in (pixels.scale, pixels.offset))
    return pixels.shape, pixels.dtype.str, pixels.bands, *units


def _made(data: LabelledSet, maker: ImageMaker, together: Sequence[_Read]) -> Sequence[Float32[np.ndarray, " value"]]:
    if together[0].vector is not None:
        return [together[0].vector]
    try:
        return list(maker.of([each.pixels for each in together if each.pixels is not None]))
    except InputError as error:
        raise error.about(f"{data.source}: {data.samples[together[0].index].name}") from None


def _check_lengths(data: LabelledSet, rows: Sequence[Float32[np.ndarray, " value"]]) -> None:
    """DataError where vectors differ in length, as they may where images differ in their bands."""
    for index, row in enumerate(rows):
        if len(row) != len(rows[0]):
            raise DataError(
                f"{data.source}: {data.samples[0].name} has a vector of {len(rows[0])} values, "
                f"{data.samples[index].name} one of {len(row)}",
                "images with the same bands",
                "Choose bands that all of them have with",
                ("bands", "B02,B03,..."),
            )
