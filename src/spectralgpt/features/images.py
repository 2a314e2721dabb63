"""Vectors of many images, each made once: in a stream, or of all images of a labelled set."""

from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Float32

from spectralgpt.cores import available_cores
from spectralgpt.data.labels import LabelledSet
from spectralgpt.data.loader import prefetched
from spectralgpt.data.sample_hashes import sample_hashes
from spectralgpt.errors import DataError, InputError
from spectralgpt.features.cache import Cache, content_of
from spectralgpt.features.makers import ImageMaker
from spectralgpt.progress import Progress, silent
from spectralgpt.raster import Pixels, Raster, Readable

MADE_TOGETHER = 32
"""Images of one shape that a maker is given at once."""

WAITING = 4 * MADE_TOGETHER
"""Images that may come after one that waits for others of its shape."""

WAITING_BYTES = 2**28
"""Bytes of images that wait for others of their shape, at most."""

VALUES_AHEAD = 2**24
"""Values up to which threads read an image ahead; larger ones are read one at a time, when it is their turn."""

READERS = min(4, available_cores())
"""Threads that read images ahead."""

VECTOR = "vector"

Vectors = tuple[Float32[np.ndarray, "_"], ...]
"""Of an image, one by each maker."""


@dataclass(frozen=True, slots=True, eq=False)
class ImageVectors:
    """Of each image of a set, in its order, side by side where several makers made them. parts: number of values by
    each maker. contents: `content_of` each, the same for equal images. hashes: of its dates and chips
    (`sample_hashes`), to find it among the images of a training."""

    values: Float32[np.ndarray, "image value"]
    parts: tuple[int, ...]
    contents: tuple[str, ...]
    hashes: tuple[frozenset[str], ...]


@dataclass(frozen=True, slots=True, eq=False)
class StreamedVectors:
    """An image's vectors, None where `failure` says why. content: `content_of` it. hashes: `sample_hashes` of it.
    valid: share of its values."""

    index: int
    vectors: Vectors | None
    failure: InputError | None = None
    content: str = ""
    hashes: frozenset[str] = frozenset()
    valid: float = 0.0


@dataclass(frozen=True, slots=True, eq=False)
class _Read:
    """An image that was read. keys, held: by maker, the key in the cache and the vector that was there. pixels: None
    where all vectors were, where it failed, and where it is so large that it is read `later`."""

    index: int
    failure: InputError | None = None
    later: Readable | None = None
    content: str = ""
    keys: tuple[str, ...] = ()
    hashes: frozenset[str] = frozenset()
    valid: float = 0.0
    pixels: Pixels | None = None
    held: tuple[Float32[np.ndarray, "_"] | None, ...] = ()

    def made(self, found: Vectors | InputError) -> StreamedVectors:
        """What became of it."""
        if isinstance(found, InputError):
            return StreamedVectors(self.index, None, found)
        return StreamedVectors(self.index, found, None, self.content, self.hashes, self.valid)


def image_vectors(
    data: LabelledSet,
    maker: ImageMaker,
    cache: Cache,
    progress: Progress = silent,
    *,
    beside: Sequence[ImageMaker] = (),
    sides: Iterable[int] = (),
    readers: int = READERS,
) -> ImageVectors:
    """The vectors of all images of a set, from the cache where it has them.

    Threads read ahead while vectors are made. beside: makers of further vectors, which are put behind the first; the
    cache keeps those of each maker alone. sides: of chips, for the hashes. progress: stage "features". Raises
    InputError, naming the image, where it cannot be read or its bands cannot be used; DataError where vectors differ in
    length.
    """
    total = len(data.samples)
    made: list[StreamedVectors] = []

    def name(index: int) -> str:
        return f"{data.source}: {data.samples[index].name}"

    progress("features", 0, total)
    makers = (maker, *beside)
    stream = streamed_vectors(
        lambda index: data.read(index).image, total, name, makers, cache, sides=tuple(sides), readers=readers
    )
    with closing(stream):
        for each in stream:
            if each.failure is not None:
                raise each.failure from None
            made.append(each)
            progress("features", len(made), total)
    rows = [each.vectors for each in made if each.vectors is not None]
    _check_lengths(data, rows)
    values = np.stack([np.concatenate(each) for each in rows]) if rows else np.empty((0, 0), np.float32)
    parts = tuple(map(len, rows[0])) if rows else (0,) * len(makers)
    return ImageVectors(values, parts, tuple(each.content for each in made), tuple(each.hashes for each in made))


def streamed_vectors(
    read: Callable[[int], Readable],
    total: int,
    name: Callable[[int], str],
    makers: Sequence[ImageMaker],
    cache: Cache,
    *,
    sides: Iterable[int] | None = None,
    readers: int = READERS,
) -> Generator[StreamedVectors, None, None]:
    """The vectors of the images 0 to total - 1 by each maker, in this order, from the cache where it has them.

    read: the image of an index, called in threads that read ahead; a Raster is closed after it was read. name: of an
    image, for messages. sides: of chips, for the hashes; None: without hashes. Memory does not depend on the number of
    images. An InputError becomes the `failure` of its image.
    """
    sides, identities = None if sides is None else tuple(sides), [maker.identity for maker in makers]

    def looked_at(index: int, image: Readable | None = None) -> _Read:
        try:
            if image is None:
                image = read(index)
                if int(np.prod(image.shape)) > VALUES_AHEAD:
                    return _Read(index, later=image)
            pixels = _pixels(image)
        except InputError as error:
            return _Read(index, failure=error)
        content = content_of(pixels)
        keys = tuple(cache.key(identity, content) for identity in identities)
        held = tuple((cache.get(key) or {}).get(VECTOR) for key in keys)
        needed = any(vector is None for vector in held)
        hashes = frozenset[str]() if sides is None else sample_hashes(pixels, sides)
        share = 1.0 if pixels.valid is None else float(pixels.valid.mean())
        return _Read(index, None, None, content, keys, hashes, share, pixels if needed else None, held)

    done: dict[int, StreamedVectors] = {}
    following = 0
    with closing(prefetched(looked_at, range(total), readers)) as ahead:
        images = (each if each.later is None else looked_at(each.index, each.later) for each in ahead)
        for together in _together(images):
            for each, found in zip(together, _made(makers, together, name), strict=True):
                if not isinstance(found, InputError):
                    _keep(cache, each, found)
                done[each.index] = each.made(found)
            while following in done:
                yield done.pop(following)
                following += 1


def _pixels(image: Readable) -> Pixels:
    """All of an image; its files are closed."""
    if isinstance(image, Raster):
        with image:
            return image.read()
    return image.read()


def _together(images: Iterable[_Read]) -> Iterator[list[_Read]]:
    """Images that a maker can be given at once; those with a vector alone, as they come. None waits for long."""
    waiting: dict[Any, list[_Read]] = {}
    for image in images:
        if image.pixels is None or image.pixels.values.size > VALUES_AHEAD:
            yield [image]
        else:
            kind = _kind(image.pixels)
            alike = waiting.setdefault(kind, [])
            alike.append(image)
            if len(alike) == MADE_TOGETHER:
                yield waiting.pop(kind)
        while waiting:
            oldest = min(waiting, key=lambda each: waiting[each][0].index)
            if image.index - waiting[oldest][0].index < WAITING and _bytes(waiting.values()) <= WAITING_BYTES:
                break
            yield waiting.pop(oldest)
    yield from waiting.values()


def _bytes(waiting: Iterable[Sequence[_Read]]) -> int:
    return sum(each.pixels.values.nbytes for alike in waiting for each in alike if each.pixels is not None)


def _kind(pixels: Pixels) -> Any:
    """What images have in common that a maker can be given at once."""
    units = (tuple(map(float, each)) for each in (pixels.scale, pixels.offset))
    return pixels.shape, pixels.dtype.str, pixels.bands, *units


def _made(
    makers: Sequence[ImageMaker], together: Sequence[_Read], name: Callable[[int], str]
) -> list[Vectors | InputError]:
    """The vectors of each image, or why it has none."""
    if together[0].failure is not None:  # such an image comes alone
        return [together[0].failure]
    try:
        by_maker = [_by(maker, number, together) for number, maker in enumerate(makers)]
        return list(zip(*by_maker, strict=True))
    except InputError as error:
        if len(together) == 1:
            return [error.about(name(together[0].index))]
    # which of them it was
    return [found for each in together for found in _made(makers, [each], name)]


def _keep(cache: Cache, image: _Read, vectors: Vectors) -> None:
    """Put into the cache what it did not have."""
    for key, held, vector in zip(image.keys, image.held, vectors, strict=True):
        if held is None:
            cache.put(key, {VECTOR: vector})


def _by(maker: ImageMaker, number: int, together: Sequence[_Read]) -> Vectors:
    """The vector of each image by one maker, the `number`th."""
    missing = [each.pixels for each in together if each.held[number] is None and each.pixels is not None]
    made = iter(maker.of(missing) if missing else ())
    return tuple(next(made) if held is None else held for held in (each.held[number] for each in together))


def _check_lengths(data: LabelledSet, rows: Sequence[Vectors]) -> None:
    """DataError where vectors differ in length, as they may where images differ in their bands."""
    for index, row in enumerate(rows):
        for one, first in zip(row, rows[0], strict=True):
            if len(one) == len(first):
                continue
            raise DataError(
                f"{data.source}: {data.samples[0].name} has a vector of {len(first)} values, "
                f"{data.samples[index].name} one of {len(one)}",
                "images with the same bands",
                "List the bands that all of them have in the argument `bands`",
            )
