"""`TARGET.partial/`: the finished block rows of a scene and what they were made from, until TARGET is written.

plan.json               format, version, the plan and the caller's journal, which a run that goes on must share
notes-000000.json ...   the maker's notes, one file per block row
rows-000000.npy ...     the stored values, one file per block row; a row is done when it and its notes exist
writing/                temporary files of CogWriter until TARGET is whole; of no use to a later run
lock                    held by the run that writes here; the system releases it when the run ends in any way

Each file is written atomically, as NAME.new and then renamed: a file under its own name is whole, even if the run is
killed. Version 1 had no notes, version 2 neither the files that were read nor the threads.
"""

import json
import os
import re
import shutil
from collections.abc import Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from tokenize import TokenError
from types import TracebackType
from typing import Any

import numpy as np
from filelock import BaseFileLock

from spectralgpt.disk import atomic_write, locked, release_and_remove
from spectralgpt.errors import InputError, RasterError, TargetError, first_few
from spectralgpt.free_space import refusals
from spectralgpt.interruption import InterruptedWork
from spectralgpt.plain import to_plain
from spectralgpt.raster import check_target
from spectralgpt.scenes.maker import Notes
from spectralgpt.scenes.plan import Plan
from spectralgpt.scenes.rows import RowFile, StoredRows
from spectralgpt.scenes.space import KEPT_ROWS

FORMAT = "spectralgpt scene"
VERSION = 3

MOST_NOTES = 2**20
"""Largest size of a block row's notes, bytes: they are for sums and samples, and all of them are read at the end."""

MOST_DIFFERING = 6

LONGEST_DIFFERENCE = 60
"""Characters of a differing value that a message shows; of longer ones it gives the name only."""

_NAMES = re.compile(r"(plan\.json|rows-\d{6,}\.npy|notes-\d{6,}\.json)(\.new)?|lock")


class Journal:
    """The folder TARGET.partial of one run, as a context. The constructor writes nothing; `start` does.

    The folder is removed when the block ends, and after an InputError where no block row is done. After any other
    exception it stays. An interrupt is raised again as InterruptedWork, which says what stays.
    """

    def __init__(self, target: Path, plan: Plan, parameters: Mapping[str, object]) -> None:
        """parameters: plain values; raises TypeError or ValueError for what JSON cannot hold."""
        self._target = target
        self._inputs: Mapping[str, Any] = dict(parameters.get("inputs") or {})  # type: ignore[call-overload]
        self.folder = partial_of(target)
        self._count = len(plan.rows)
        content = {"format": FORMAT, "version": VERSION, "plan": to_plain(plan), "journal": dict(parameters)}
        self._text = json.dumps(content, indent=1, sort_keys=True) + "\n"
        self._lock: BaseFileLock | None = None

    def __enter__(self) -> "Journal":
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        try:
            if error is None or (isinstance(error, InputError) and not self.done):
                self.remove()
        finally:
            self.release()
        if isinstance(error, KeyboardInterrupt):
            raise InterruptedWork(
                self.kept or f"Nothing of {self._target} is kept, as no block row was finished"
            ) from None

    @property
    def kept(self) -> str:
        """What a later run goes on from, as a sentence without its final period; empty for nothing."""
        done = self.done
        if not done:
            return ""
        rows = f"{done} of {self._count} block rows of {self._target}"
        return f"{rows} are kept: the same command goes on from there, as long as its input is the same"

    def start(self, restart: bool = False) -> int:
        """Make the folder, or take up that of an interrupted run (checked by `check_scene_target`). Returns how many
        block rows of it stay.

        restart: none does. Raises TargetError when another run is writing there, the disk refuses, or there are
        finished block rows of another plan or journal, with what differs; they stay.
        """
        with refusals(self.folder):
            self.folder.mkdir(exist_ok=True)
            self._lock = locked(self.folder / "lock")
            if self._lock is None:
                raise TargetError(
                    f"{self.folder}: another run is already writing to this target",
                    do="Wait for it to end, or choose another target",
                )
            done = 0 if restart else self._whole()
            if done:
                self._refuse_another()
                rows = {each.name for index in range(done) for each in (self._row(index), self._notes(index))}
                self._clear(keep={"lock", "plan.json"} | rows)
                return done
            self._clear(keep={"lock"})
            with atomic_write(self.folder / "plan.json", ".new", durable=False) as file:
                file.write(self._text.encode())
        return 0

    def row(self, index: int, shape: tuple[int, int, int], dtype: np.dtype[Any]) -> RowFile:
        """Block row `index`, to be written in a with block that ends with `finish`."""
        return RowFile(self._row(index), shape, dtype)

    def finish(self, index: int, row: RowFile, notes: Notes) -> None:
        """Keep the notes of a block row, and then the row, which is then done.

        Raises TargetError when the disk refuses; for faults of the maker, ValueError for notes larger than MOST_NOTES
        and TypeError for what JSON cannot hold.
        """
        text = json.dumps(notes)
        if len(text) > MOST_NOTES:
            raise ValueError(
                f"found notes of {len(text)} bytes for block row {index}; expected at most {MOST_NOTES}, as data that "
                "grow with the scene are stored in rows"
            )
        with refusals(self.folder, do=KEPT_ROWS), atomic_write(self._notes(index), ".new", durable=False) as file:
            file.write(text.encode())
        row.finish()

    @property
    def done(self) -> int:
        """Number of block rows, from the top, that exist with their notes."""
        for index in range(self._count):
            if not (self._row(index).exists() and self._notes(index).exists()):
                return index
        return self._count

    def rows(self) -> StoredRows:
        """The stored values of the block rows that are done."""
        return StoredRows([self._row(index) for index in range(self.done)])

    def notes(self) -> Iterator[Notes]:
        """The notes of the block rows that are done, from the top."""
        for index in range(self.done):
            notes: Notes = json.loads(self._notes(index).read_bytes())
            yield notes

    def refuse_changed(self) -> None:
        """RasterError where a file that was read is another than when the run began. Nothing is kept then, as rows from
        before and after cannot be told apart. What was deleted meanwhile was read to its end."""
        for path, state in self._inputs.items():
            if state is None or not os.path.exists(path):
                continue
            found = os.stat(path)
            if [found.st_size, found.st_mtime_ns] != state:
                self._clear(keep={"lock"})
                raise RasterError(
                    f"{path}: was changed while it was read", "a file that stays the same", "Start the command again"
                )

    def writing(self) -> Path:
        """The folder for TARGET's temporary files: here, so that those of a killed run are found and removed."""
        folder = self.folder / "writing"
        folder.mkdir(exist_ok=True)
        return folder

    def remove(self) -> None:
        """Remove the files of this run, and the folder, unless it holds anything else."""
        if self._lock is None:
            return
        self._clear(keep={"lock"})
        self.release()
        with suppress(OSError):  # it holds something else, or the next run begins
            self.folder.rmdir()

    def release(self) -> None:
        """Let another run write there; the files stay."""
        if self._lock is not None:
            release_and_remove(self._lock)
            self._lock = None

    def _clear(self, keep: set[str]) -> None:
        ours = [path for path in self.folder.iterdir() if _is_ours(path) and path.name not in keep]
        # plan.json last: if this is killed too, the rest of the folder is still recognized as ours
        for path in sorted(ours, key=lambda path: path.name.startswith("plan.json")):
            if path.name == "writing":
                shutil.rmtree(path)
            else:
                path.unlink()

    def _whole(self) -> int:
        """Number of block rows, from the top, that can be read: a power cut may leave a name without its content."""
        for index in range(self.done):
            try:
                np.load(self._row(index), mmap_mode="r", allow_pickle=False)
                json.loads(self._notes(index).read_bytes())
            except (OSError, ValueError, EOFError, RecursionError, SyntaxError, TokenError):
                return index
        return self.done

    def _refuse_another(self) -> None:
        """TargetError where the folder's plan.json is another than this run's."""
        found, now = json.loads((self.folder / "plan.json").read_bytes()), json.loads(self._text)
        if found == now:
            return
        # the plan follows from the rest, so it is named only where nothing else differs
        differing = _differences({**found, "plan": None}, {**now, "plan": None}) or _differences(found, now)
        raise TargetError(
            f"{self.folder}: found finished parts of a result that was begun otherwise: "
            f"{first_few(differing, MOST_DIFFERING, '; ')}",
            "the same input, weights and options",
            "To discard them and begin anew, use",
            ("restart", True),
        )

    def _row(self, index: int) -> Path:
        return self.folder / f"rows-{index:06d}.npy"

    def _notes(self, index: int) -> Path:
        return self.folder / f"notes-{index:06d}.json"


def partial_of(target: Path) -> Path:
    """The folder beside TARGET that holds what is done before TARGET is whole."""
    return target.with_name(target.name + ".partial")


def chosen_before(target: Path) -> Mapping[str, Any]:
    """The parameters of the interrupted run that left TARGET.partial; empty without one."""
    try:
        found = json.loads((partial_of(target) / "plan.json").read_bytes())["journal"]["parameters"]
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}


def check_scene_target(target: Path, restart: bool = False) -> None:
    """Refuse a TARGET that cannot be written, or a TARGET.partial that no run of ours left there.

    restart: what a run of ours left may be of another version. Called before anything is read. Raises TargetError;
    changes nothing.
    """
    check_target(target)
    partial = partial_of(target)
    if not os.path.lexists(partial):
        return
    found = _foreign(partial)
    if found:
        raise TargetError(
            f"{partial}: found {found}",
            "nothing, or the folder of an interrupted run",
            f"The blocks of {target.name} are kept there until it is whole: move it away, or choose another target",
        )
    version = _version(partial)
    if version != VERSION and not restart:
        raise TargetError(
            f"{partial}: found an unfinished scene of another version of spectralgpt (format {version})",
            f"format {VERSION}, as no other can be continued",
            "To discard it and begin anew, use",
            ("restart", True),
        )


def _differences(found: Mapping[str, Any], now: Mapping[str, Any], within: str = "") -> list[str]:
    """What differs between two mappings of plain values, in words. within: the key of the mappings themselves."""
    differing = []
    for name in sorted({*found, *now}):
        before, after, in_both = found.get(name), now.get(name), name in found and name in now
        if before == after and in_both:
            continue
        if within == "inputs":
            differing.append(f"{name} ({'changed' if in_both else 'only in one of the runs'})")
        elif isinstance(before, dict) and isinstance(after, dict):
            differing += _differences(before, after, name)
        else:
            shown = f"{name} {before}, now {after}"
            differing.append(shown if len(shown) <= LONGEST_DIFFERENCE else name)
    return differing


def _foreign(partial: Path) -> str:
    """What in TARGET.partial is not ours, in words; empty if everything is."""
    if partial.is_symlink() or not partial.is_dir():
        return "a link" if partial.is_symlink() else "something that is not a folder"
    try:
        names = {path.name for path in partial.iterdir()}
        others = sorted(name for name in names if not _is_ours(partial / name))
        if others:
            return f"a folder with {others[0]}" + (f" and {len(others) - 1} more" if len(others) > 1 else "")
        if names <= {"plan.json.new", "lock"}:  # killed while the folder was made or removed
            return ""
        content = json.loads((partial / "plan.json").read_bytes())
    except (OSError, ValueError, RecursionError) as error:
        return f"a folder without a plan.json that can be read ({error})"
    ours = isinstance(content, dict) and content.get("format") == FORMAT
    return "" if ours else f'a folder with a plan.json of another format than "{FORMAT}"'


def _version(partial: Path) -> object:
    """Format version of a folder that is ours; the current one where a run was killed before it wrote plan.json."""
    plan = partial / "plan.json"
    return json.loads(plan.read_bytes()).get("version") if plan.exists() else VERSION


def _is_ours(path: Path) -> bool:
    """Whether a run of ours may have put this into its TARGET.partial."""
    if path.name == "writing":
        return path.is_dir() and not path.is_symlink()
    return _NAMES.fullmatch(path.name) is not None and not path.is_dir()
