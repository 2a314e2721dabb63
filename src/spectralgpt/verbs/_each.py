"""`each=True`: a verb on many scenes, with one result per scene in a folder, that goes on where it was interrupted.

A verb has it by `@with_each(CHECK)` below `@with_shared_options`, and with EachOption among its options.
"""

import csv
import io
import os
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import wraps
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, TypedDict, cast

from spectralgpt.errors import InputError, OptionError, TargetError, UnfinishedError, argument, counted
from spectralgpt.progress import Progress, silent, unheard
from spectralgpt.verbs._each_scenes import EachScene, scenes_of
from spectralgpt.verbs._options import Function, ImageInPython, Option, ReadingOptions, SceneOptions

if TYPE_CHECKING:
    from spectralgpt.scenes import Course

State = Literal["done", "skipped", "failed"]

WeightsCheck = Callable[[Mapping[str, Any]], None]
"""Receives the options of a verb. InputError for weights that no scene could be made with."""

TABLE = "each.csv"
COLUMNS = ("source", "state", "result", "seconds", "reason")
"""Of the table in the folder."""

ROWS_SHOWN = 60
"""Rows of the table that a result prints."""

NOT_FOLDERS = (".tif", ".tiff", ".parquet", ".csv", ".png", ".vrt", ".gpkg")
"""Endings of names that are not meant as a folder's."""


class EachOption(TypedDict, total=False):
    """Whether the sources are scenes of their own."""

    each: Annotated[
        bool,
        Option(
            "Make a result of each SOURCE; TARGET is then a folder. A folder of images stands for these. Results that "
            "are there already are kept, and a source that fails does not stop the others.",
            False,
        ),
    ]


class EachSceneOptions(SceneOptions, EachOption, total=False):
    """Everything that a verb needs to map one scene or many."""


@dataclass(frozen=True, slots=True)
class EachRow:
    """What became of a source. state: done, skipped (the result was there already) or failed. result: None if failed.
    reason: why it was skipped or failed."""

    source: str
    state: State
    result: Path | None
    seconds: float
    reason: str = ""

    def __str__(self) -> str:
        text = self.reason or ("" if self.result is None else f"{self.result.name} ({self.seconds:.1f} s)")
        return f"{self.state:<8} {self.source}: {' '.join(text.removeprefix(f'{self.source}: ').split())}"


@dataclass(frozen=True, slots=True)
class EachScenes:
    """What became of each source. target: the folder; table: the rows as CSV, in it; mosaics: VRTs over all results."""

    target: Path
    done: int
    skipped: int
    failed: int
    rows: tuple[EachRow, ...]
    table: Path
    mosaics: tuple[Path, ...]
    seconds: float
    warnings: tuple[str, ...] = field(default=())

    @property
    def exit_code(self) -> int:
        """Of the command: 2 if a source failed."""
        return 2 if self.failed else 0

    def __str__(self) -> str:
        rows = self.rows if len(self.rows) <= ROWS_SHOWN else [row for row in self.rows if row.state == "failed"]
        hidden = len(self.rows) - len(rows[:ROWS_SHOWN])
        return "\n".join(
            [
                *map(str, rows[:ROWS_SHOWN]),
                *([f"and {hidden} more in the table"] if hidden else []),
                f"{self.target}: {self.done} done, {self.skipped} skipped, {self.failed} failed ({self.seconds:.1f} s)",
                f"{self.table}: these rows as a table",
                *(f"{each}: the results side by side" for each in self.mosaics),
            ]
        )


def with_each(check_weights: WeightsCheck) -> Callable[[Function], Function]:
    """A verb with it makes a result of each source in the folder `target` with each=True, and returns EachScenes.
    check_weights: called before anything is written, as weights that do not suit would fail once per scene."""

    def decorated(verb: Function) -> Function:
        @wraps(verb)
        def call(sources: Any, target: Any, **options: Any) -> Any:
            if not options.get("each"):
                return verb(sources, target, **options)
            if isinstance(sources, ImageInPython):
                raise OptionError(f"{argument('each', True)}: found an image that is open already", "paths of images")
            given = [sources] if isinstance(sources, str | os.PathLike) else list(sources)
            return _EachRun(verb, check_weights, [os.fspath(each) for each in given], Path(target), options).run()

        return cast(Function, call)

    return decorated


def weights_of_any_kind(options: Mapping[str, Any]) -> None:
    """WeightsError for weights that cannot be loaded."""
    from spectralgpt.weights import load_model

    load_model(options["weights"], options["device"])


def weights_for_pretraining(options: Mapping[str, Any]) -> None:
    """WeightsError for weights without a decoder, or that cannot be loaded."""
    from spectralgpt.weights import load_model

    load_model(options["weights"], options["device"], "pretraining")


class _EachRun:
    """The scenes of one call, one after the other."""

    def __init__(
        self,
        verb: Callable[..., Any],
        check_weights: WeightsCheck,
        given: Sequence[str],
        folder: Path,
        options: Mapping[str, Any],
    ):
        self._verb, self._check_weights, self._folder, self._options = verb, check_weights, folder, options
        self._announce = options.get("announce", unheard)
        self._progress: Progress = options.get("progress", silent)
        self._given = given
        self._table = folder / TABLE
        self._warnings: list[str] = []

    def run(self) -> EachScenes:
        """InputError for what no scene could be made with, before anything is computed or written."""
        from spectralgpt.disk import write_refusal
        from spectralgpt.free_space import refusal
        from spectralgpt.scenes import Course

        start = time.perf_counter()
        course = Course(max_hours=self._options["max_hours"])
        _check_folder(self._folder)
        scenes = scenes_of(self._given, self._progress)
        self._check_targets(scenes)
        self._check_weights(self._options)
        if (refused := write_refusal(self._folder)) is not None:
            raise refusal(self._folder, refused)
        rows: list[EachRow] = []
        for number, scene in enumerate(scenes, 1):
            # one line of progress for all scenes: what follows the colon changes on it
            self._progress(f"scenes: scene {number} of {len(scenes)}, {scene.name}", number - 1, len(scenes))
            if rows and course.is_over:
                raise self._unfinished(rows, len(scenes))
            try:
                rows.append(self._row(scene, course))
            except UnfinishedError as error:
                raise self._unfinished(rows, len(scenes), error.do) from None
            self._announce(f"scene {number} of {len(scenes)}: {rows[-1]}")
            self._write_table(rows)
        self._progress("scenes: all", len(scenes), len(scenes))
        return self._ended(rows, start)

    def _unfinished(self, rows: Sequence[EachRow], total: int, of_scene: str = "") -> UnfinishedError:
        """The limit of time has ended with these scenes. of_scene: what to do about the one that it ended in."""
        states = Counter(row.state for row in rows)
        made = f"{states['done'] + states['skipped']} of {counted(total, 'scene')} done"
        failed = f", {states['failed']} failed" if states["failed"] else ""
        return UnfinishedError(
            f"{self._folder}: {argument('max_hours', self._options['max_hours'])} ended with {made}{failed}",
            do=of_scene if of_scene and not states["done"] else "They are kept: the same command goes on from there",
        )

    def _row(self, scene: EachScene, course: "Course") -> EachRow:
        """What becomes of a scene. UnfinishedError where the limit of time ends before it is made."""
        from spectralgpt.scenes.done import AlreadyDone

        start = time.perf_counter()
        target = self._target(scene)
        try:
            result = self._verb(scene.sources, target, **self._options_of(scene, course))
        except AlreadyDone:
            return EachRow(scene.source, "skipped", target, _since(start), f"{target.name} is there already")
        except UnfinishedError:
            raise
        except (InputError, OSError) as error:
            known = {*self._options, "sources", "target"}
            reason = str(error.within(known) if isinstance(error, InputError) else error)
            return EachRow(scene.source, "failed", None, _since(start), reason)
        except Exception as error:
            # of one scene out of many: the others are worth more than an early traceback
            reason = f"{type(error).__name__}: {error} (a fault of spectralgpt: alone, this source shows where)"
            return EachRow(scene.source, "failed", None, _since(start), reason)
        self._warnings += getattr(result, "warnings", ())
        return EachRow(scene.source, "done", target, _since(start))

    def _target(self, scene: EachScene) -> Path:
        return self._folder / f"{scene.name}.tif"

    def _options_of(self, scene: EachScene, course: "Course") -> dict[str, Any]:
        """The options, in which a row of a table may say more of its own. The limit of time is that of the whole
        folder: a scene has what is left of it."""
        own = {"bands": scene.image.bands, "clouds": scene.image.clouds}
        given = {**self._options, **{name: value for name, value in own.items() if value}}
        return given if course.max_hours is None else {**given, "max_hours": course.hours_left}

    def _check_targets(self, scenes: Sequence[EachScene]) -> None:
        """TargetError where results would lie among the sources or replace what they read, or the table is foreign."""
        targets = {os.path.realpath(self._target(scene)): scene for scene in scenes}
        for scene in scenes:
            for path in map(os.path.realpath, scene.image.paths):
                inside = os.path.realpath(self._folder).startswith(os.path.join(path, "")) and os.path.isdir(path)
                if inside or path in targets or path == os.path.realpath(self._folder):
                    raise TargetError(
                        f"{self._folder}: {scene.source} is a source there", do="Choose another folder for the results"
                    )
        self._refuse_sources(scenes)
        if os.path.lexists(self._table) and not self._options["overwrite"] and not _is_own_table(self._table):
            raise TargetError(
                f"{self._table}: exists, and is no table of results",
                "a folder of results, or a new one",
                "To replace it:",
                ("overwrite", True),
            )

    def _refuse_sources(self, scenes: Sequence[EachScene]) -> None:
        """TargetError where a file that may be written is one that any of the sources reads. Each scene is checked
        again when it is opened, against its own sources alone."""
        from spectralgpt.products.targets import refuse_source
        from spectralgpt.verbs._scene import files_of

        if not self._folder.is_dir():
            return
        images = [scene.image for scene in scenes]
        read = [path for each in images for path in (*each.paths, *([each.clouds] if each.clouds else []))]
        files = files_of(self._given, cast(ReadingOptions, self._options), (self._options.get("aoi"),), read)
        starts = (*(f"{scene.name}." for scene in scenes), f"{self._verb.__name__}.", f"{self._verb.__name__}-")
        for entry in sorted(self._folder.iterdir()):
            if entry == self._table or entry.name.startswith(starts):
                refuse_source(entry, files)

    def _write_table(self, rows: Sequence[EachRow]) -> None:
        from spectralgpt.disk import atomic_write
        from spectralgpt.free_space import refusals

        text = io.StringIO()
        writer = csv.writer(text)
        writer.writerow(COLUMNS)
        for row in rows:
            name = "" if row.result is None else row.result.name
            writer.writerow([row.source, row.state, name, f"{row.seconds:.1f}", " ".join(row.reason.split())])
        content = text.getvalue().encode(errors="surrogateescape")
        own = f".{os.getpid()}"  # as another process may be at the same folder
        with refusals(self._table, needed=len(content)), atomic_write(self._table, own, durable=False) as file:
            file.write(content)

    def _ended(self, rows: Sequence[EachRow], start: float) -> EachScenes:
        from spectralgpt.raster.mosaic import write_mosaics
        from spectralgpt.raster.tags import CLASSES_TAG, RULES_TAG, WEIGHTS_TAG
        from spectralgpt.verbs._scene import mark_of
        from spectralgpt.verbs.shard import grouped

        results = [row.result for row in rows if row.result is not None]
        verb = self._verb.__name__
        mark = mark_of(verb, self._given)
        mosaics = write_mosaics(results, self._folder / f"{verb}.vrt", mark, (WEIGHTS_TAG, RULES_TAG, CLASSES_TAG))
        states = Counter(row.state for row in rows)
        return EachScenes(
            target=self._folder,
            done=states["done"],
            skipped=states["skipped"],
            failed=states["failed"],
            rows=tuple(rows),
            table=self._table,
            mosaics=mosaics.files,
            seconds=_since(start),
            warnings=(*grouped(self._warnings), *mosaics.notes),
        )


def _check_folder(folder: Path) -> None:
    """TargetError for what is no folder, or not meant as one."""
    if os.path.lexists(folder) and not os.path.isdir(folder):
        raise TargetError(f"{folder}: is a file", "a folder, for one result per source", "Choose another name")
    if not os.path.isdir(folder) and folder.suffix.lower() in NOT_FOLDERS:
        raise TargetError(
            f"{folder}: found the name of a file",
            "that of a folder, for one result per source",
            "Add the folder as the last argument",
        )


def _is_own_table(path: Path) -> bool:
    try:
        with open(path, newline="", encoding="utf-8", errors="replace") as file:
            return next(csv.reader(file), None) == list(COLUMNS)
    except (OSError, csv.Error):
        return False


def _since(start: float) -> float:
    return time.perf_counter() - start
