"""Many images in, one table out, with a row per image: the part of `embed` that writes tables."""

import os
import time
from collections import Counter
from collections.abc import Generator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field, replace
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING

from spectralgpt.errors import DataError, InputError, RasterError, counted
from spectralgpt.interruption import Interruption
from spectralgpt.progress import Announce, Progress
from spectralgpt.verbs._embedded import EmbeddedImages
from spectralgpt.verbs._image_kind import kind_of_image
from spectralgpt.verbs._options import Paths, SceneOptions
from spectralgpt.verbs._scene import files_of, listed, mark_of
from spectralgpt.verbs._table_images import TableImage, images_of
from spectralgpt.verbs.shard import FAILURES_SHOWN, grouped, kind_of_message

if TYPE_CHECKING:
    from spectralgpt.bands import Band
    from spectralgpt.features.beside import BesideName
    from spectralgpt.features.images import StreamedVectors
    from spectralgpt.features.vector_table import VectorRow
    from spectralgpt.raster import Footprint, Raster
    from spectralgpt.weights import PretrainedModel

KINDS_SHOWN = 4
"""Kinds of images, by their bands, that are shown."""


IMAGES_TOGETHER = 8
"""Images, or windows of them, that are computed together where `batch` is not given."""


@dataclass(frozen=True, slots=True)
class EmbeddedKind:
    """Images with the same bands. bands: `model band <- bands of the image`. dropped: bands of the images that were not
    used; missing: bands of the model that they do not have."""

    images: int
    bands: tuple[str, ...]
    dropped: tuple[str, ...]
    missing: tuple[str, ...]

    def __str__(self) -> str:
        dropped = f"; not used: {', '.join(self.dropped)}" if self.dropped else ""
        missing = f"; missing: {', '.join(self.missing)}" if self.missing else ""
        return f"bands of {counted(self.images, 'image')}: {', '.join(self.bands)}{dropped}{missing}"


@dataclass(frozen=True, slots=True)
class LeftOut:
    """An image without a row in the table, and the reason."""

    path: str
    reason: str


@dataclass(frozen=True, slots=True)
class EmbeddedTable(EmbeddedImages):
    """What a table of vectors contains.

    images: rows; values: per image; beside: by name, values of other vectors of each image. rules: version of the rules
    by which vectors are made. kinds: the images by their bands. failed: images that could not be read or used; they
    have no row.
    """

    target: Path
    images: int
    values: int
    fingerprint: str
    rules: int
    kinds: tuple[EmbeddedKind, ...]
    failed: tuple[LeftOut, ...]
    seconds: float
    warnings: tuple[str, ...] = ()
    beside: Mapping[str, int] = field(default_factory=dict)

    def __str__(self) -> str:
        others = "".join(f", {values} of {name}" for name, values in self.beside.items())
        found = f"{counted(self.images, 'image')}, {self.values} values each{others}"
        lines = [f"{self.target}: {found} ({self.seconds:.1f} s)"]
        lines += map(str, self.kinds[:KINDS_SHOWN])
        if len(self.kinds) > KINDS_SHOWN:
            lines.append(f"and {counted(len(self.kinds) - KINDS_SHOWN, 'more kind')} of images with other bands")
        if self.failed:
            lines.append(f"left out: {counted(len(self.failed), 'image')}")
            lines += (f"  {each}" for each in grouped([one.reason for one in self.failed])[:FAILURES_SHOWN])
        return "\n".join([*lines, f"weights: {self.fingerprint[:16]}; rules: {self.rules}"])


def embed_table(
    sources: Paths,
    target: Path,
    options: SceneOptions,
    announce: Announce,
    progress: Progress,
    beside: "BesideName | None" = None,
) -> EmbeddedTable:
    """Write a row per image. What can be refused is refused before anything is computed; images that cannot be used
    are left out. beside: the name of other vectors of the images. InputError where no image can be used."""
    from spectralgpt.features.vector_table import is_own_csv, table_in, write_vectors
    from spectralgpt.products import check_replacing
    from spectralgpt.raster import check_target
    from spectralgpt.version import RULES
    from spectralgpt.weights import load_model

    start = time.perf_counter()
    check_target(target, "file")
    given = [os.fspath(each) for each in listed(sources)]
    images = images_of(given, progress)
    mark = mark_of("embed", given)
    read = [path for each in images for path in (*each.paths, *([each.clouds] if each.clouds else []))]
    files = files_of(given, options, (options["weights"],), read)
    recognized = [target] if is_own_csv(target, {each.path for each in images}) else []
    of_others = [target] if target.suffix.lower() == ".csv" and not recognized and table_in(target) else []
    for line in check_replacing(
        [target], mark, files, overwrite=options["overwrite"], recognized=recognized, of_others=of_others
    ):
        announce(line)
    model = load_model(options["weights"], options["device"])
    fingerprint = model.fingerprint()
    run = _TableRun(images, model, options, beside)
    with Interruption() as interruption, closing(run.rows(interruption, progress)) as rows:
        first = next(rows, None)
        if first is None:
            raise run.nothing()
        values, others = len(first.vector), {name: len(vector) for name, vector in first.beside.items()}
        common = {"fingerprint": fingerprint, "rules": RULES}
        count = write_vectors(target, chain([first], rows), values, common, mark.tags, others, len(images))
    return EmbeddedTable(
        target=target,
        images=count,
        values=values,
        fingerprint=fingerprint,
        rules=RULES,
        kinds=tuple(replace(kind, images=many) for kind, many in run.kinds.most_common()),
        failed=tuple(LeftOut(path, str(error)) for path, error in run.failed),
        seconds=time.perf_counter() - start,
        warnings=run.warnings,
        beside=others,
    )


@dataclass(frozen=True, slots=True)
class _Checked:
    """What is known of an image that was opened and checked."""

    footprint: "Footprint | None"
    date: str
    kind: EmbeddedKind
    warnings: tuple[str, ...]


class _TableRun:
    """Rows of images one by one, and what was noticed on the way. kinds: how many images there are of each, with 0
    images. failed: images without a row."""

    def __init__(
        self,
        images: Sequence[TableImage],
        model: "PretrainedModel",
        options: SceneOptions,
        beside: "BesideName | None",
    ) -> None:
        from spectralgpt.features import Cache

        self._images, self._model, self._options, self._beside = images, model, options, beside
        self._others: list[int] | None = None
        self._own = options["bands_as"] == "own"
        self._cache = Cache.default()
        self._opened: dict[int, _Checked] = {}
        self._first_warnings: dict[str, str] = {}
        self._warnings: Counter[str] = Counter()
        self.kinds: Counter[EmbeddedKind] = Counter()
        self.failed: list[tuple[str, InputError]] = []

    def rows(self, interruption: Interruption, progress: Progress) -> "Generator[VectorRow, None, None]":
        """A row for each image that can be used, in their order. KeyboardInterrupt when an interruption is asked for;
        the vectors until then are in the cache."""
        from spectralgpt.features import EncoderImages
        from spectralgpt.features.beside import makers_beside
        from spectralgpt.features.images import streamed_vectors
        from spectralgpt.features.vector_table import VectorRow

        batch = self._options["batch"] or IMAGES_TOGETHER
        encoder = EncoderImages(self._model, self._own, self._options["precision"], batch=batch)
        makers = (encoder, *makers_beside(self._beside))
        total = len(self._images)
        progress("embedding", 0, total)
        stream = streamed_vectors(self._open, total, lambda index: self._images[index].path, makers, self._cache)
        with closing(stream):
            for each in stream:
                if interruption.asked:
                    raise KeyboardInterrupt
                path, opened = self._images[each.index].path, self._opened.pop(each.index, None)
                failure = each.failure or self._other_length(path, each)
                if failure is not None:
                    self.failed.append((path, failure))
                elif each.vectors is not None and opened is not None:
                    self._note(opened)
                    vector, *others = each.vectors
                    names: list[str] = [self._beside] if self._beside else []
                    beside = dict(zip(names, others, strict=True))
                    yield VectorRow(path, opened.footprint, opened.date, each.valid, vector, beside)
                progress("embedding", each.index + 1, total)

    def _other_length(self, path: str, found: "StreamedVectors") -> InputError | None:
        """The error for an image with other bands than the first, where other vectors have a value for each band."""
        lengths = list(map(len, found.vectors or ()))
        self._others = self._others or lengths
        if lengths == self._others:
            return None
        return DataError(
            f"{path}: its bands give {lengths[-1]} values of {self._beside}",
            f"{self._others[-1]}, as the first image has",
            "Embed images with other bands into a table of their own, or give all the same",
            ("bands", "BANDS"),
        )

    def nothing(self) -> InputError:
        """The error for images that all cannot be used."""
        path, error = self.failed[0]
        if len(self.failed) == 1:
            return error
        return RasterError(f"{path}: none of {len(self.failed)} images could be used. The first: {error}")

    @property
    def warnings(self) -> tuple[str, ...]:
        """The first of each kind, with the number of others."""
        from spectralgpt.weights.named import name_note

        counts = ((first, self._warnings[kind] - 1) for kind, first in self._first_warnings.items())
        found = (first + (f" (and {more} like it)" if more else "") for first, more in counts)
        return (*found, *filter(None, (self._cache.note, name_note(self._options["weights"]))))

    def _note(self, opened: _Checked) -> None:
        self.kinds[opened.kind] += 1
        for warning in opened.warnings:
            kind = kind_of_message(warning)
            self._first_warnings.setdefault(kind, warning)
            self._warnings[kind] += 1

    def _open(self, index: int) -> "Raster":
        """The image of an index, checked. Called in threads."""
        from spectralgpt.checks import check
        from spectralgpt.raster import footprint
        from spectralgpt.weights.trained_domain import outside_note

        path = self._images[index].path
        raster = self._images[index].open(self._options)
        try:
            self._opened[index] = _Checked(
                footprint=footprint(raster.grid),
                date=",".join(filter(None, raster.dates)),
                kind=self._kind(raster.bands),
                warnings=(
                    *check(raster, self._options["trust_input"]).warnings,
                    *outside_note(self._model.provenance, path, [kind_of_image(raster, self._model)]),
                ),
            )
        except InputError:
            raster.close()
            raise
        return raster

    def _kind(self, bands: "tuple[Band, ...]") -> EmbeddedKind:
        from spectralgpt.bands import align

        found = align(bands, self._model.config.bands, own=self._own)
        return EmbeddedKind(0, (*found.taken, *found.merged), found.dropped, found.missing)
