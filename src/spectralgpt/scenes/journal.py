"""`TARGET.partial/`: the finished block rows of a scene and what they were made from, until TARGET is there.

plan.json               format, version, the plan and the caller's journal: what a later run must have alike to go on
notes-000000.json ...   block row by block row, the maker's notes
rows-000000.npy ...     block row by block row, as stored; a row is done when it is there with its notes
writing/                what CogWriter keeps until TARGET is whole; of no use to a later run
lock                    held by the run that writes here; the system lets go of it when that ends, however it ends

Each file is written beside, as NAME.new, and renamed: a file under its own name is whole, whenever the run is killed.
Version 1 had no notes: what earlier runs knew of their rows went with them.
"""

import json
import os
import re
import shutil
from collections.abc import Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
from filelock import BaseFileLock

from spectralgpt.disk import atomic_write, locked, release_and_remove
from spectralgpt.errors import TargetError
from spectralgpt.plain import to_plain
from spectralgpt.raster import check_target
from spectralgpt.scenes.maker import Notes
from spectralgpt.scenes.plan import Plan
from spectralgpt.scenes.rows import RowFile, StoredRows, refusals

FORMAT = "spectralgpt scene"
VERSION = 2

MOST_NOTES = 2**20
"""Most bytes of a block row's notes: they are for sums and samples, and all of them are read at the end."""

_NAMES = re.compile(r"(plan\.json|rows-\d{6,}\.npy|notes-\d{6,}\.json)(\.new)?|lock")


class Journal:
    """The folder TARGET.partial of one run. Its making leaves no file; `start` does."""

    def __init__(self, target: Path, plan: Plan, parameters: Mapping[str, object]) -> None:
        """parameters: what JSON can hold; TypeError or ValueError for anything else."""
        self.folder = partial_of(target)
        self._count = len(plan.rows)
        content = {"format": FORMAT, "version": VERSION, "plan": to_plain(plan), "journal": dict(parameters)}
        self._text = json.dumps(content, indent=1, sort_keys=True) + "\n"
        self._lock: BaseFileLock | None = None

    def start(self) -> None:
        """Make the folder, in place of one that a killed run left; `check_scene_target` has said that it is one.

        Raises TargetError when another run writes there, or the disk refuses.
        """
        with refusals(self.folder):
            self.folder.mkdir(exist_ok=True)
            self._lock = locked(self.folder / "lock")
            if self._lock is None:
                raise TargetError(
                    f"{self.folder}: another run is already writing to this target",
                    do="Wait for it to end, or choose another target",
                )
            self._clear(keep={"lock"})
            with atomic_write(self.folder / "plan.json", ".new", durable=False) as file:
                file.write(self._text.encode())

    def row(self, index: int, shape: tuple[int, int, int], dtype: np.dtype[Any]) -> RowFile:
        """Block row `index`, to be written in a with block that ends with `finish`."""
        return RowFile(self._row(index), shape, dtype)

    def finish(self, index: int, row: RowFile, notes: Notes) -> None:
        """Keep the notes of a block row, and then the row: it is done.

        Raises TargetError when the disk refuses; ValueError for notes that are larger than MOST_NOTES, and TypeError
        for what JSON cannot hold, which are the maker's faults.
        """
        text = json.dumps(notes)
        if len(text) > MOST_NOTES:
            raise ValueError(
                f"found notes of {len(text)} bytes for block row {index}; expected at most {MOST_NOTES}: what grows "
                "with the scene is stored in rows"
            )
        with refusals(self.folder), atomic_write(self._notes(index), ".new", durable=False) as file:
            file.write(text.encode())
        row.finish()

    @property
    def done(self) -> int:
        """Number of block rows, from the top, that are there with their notes."""
        for index in range(self._count):
            if not (self._row(index).exists() and self._notes(index).exists()):
                return index
        return self._count

    def rows(self) -> StoredRows:
        """What is stored of the block rows that are done."""
        return StoredRows([self._row(index) for index in range(self.done)])

    def notes(self) -> Iterator[Notes]:
        """The notes of the block rows that are done, one after the other."""
        for index in range(self.done):
            notes: Notes = json.loads(self._notes(index).read_bytes())
            yield notes

    def writing(self) -> Path:
        """The folder for temporary files of TARGET: here, so that those of a killed run are found and removed."""
        folder = self.folder / "writing"
        folder.mkdir(exist_ok=True)
        return folder

    def remove(self) -> None:
        """Remove the files that this run wrote there, and the folder, unless it holds anything else."""
        if self._lock is None:
            return
        self._clear(keep={"lock"})
        self.release()
        with suppress(OSError):  # something else is there, or the next run begins
            self.folder.rmdir()

    def release(self) -> None:
        """Let another run write there; what was kept stays."""
        if self._lock is not None:
            release_and_remove(self._lock)
            self._lock = None

    def _clear(self, keep: set[str]) -> None:
        ours = [path for path in self.folder.iterdir() if _is_ours(path) and path.name not in keep]
        # plan.json last: what is left of the folder, if this is killed too, is still known as ours
        for path in sorted(ours, key=lambda path: path.name.startswith("plan.json")):
            if path.name == "writing":
                shutil.rmtree(path)
            else:
                path.unlink()

    def _row(self, index: int) -> Path:
        return self.folder / f"rows-{index:06d}.npy"

    def _notes(self, index: int) -> Path:
        return self.folder / f"notes-{index:06d}.json"


def partial_of(target: Path) -> Path:
    """The folder beside TARGET for what is done before TARGET is whole."""
    return target.with_name(target.name + ".partial")


def check_scene_target(target: Path) -> None:
    """Refuse a TARGET that cannot be written, or whose TARGET.partial is not what a run of ours left there.

    Reads no image: called before anything is read. Raises TargetError; changes nothing.
    """
    check_target(target)
    partial = partial_of(target)
    if not os.path.lexists(partial):
        return
    found = _foreign(partial)
    if found:
        raise TargetError(
            f"{partial}: found {found}",
            (
                f"no such file, or the folder that a killed run left, as the blocks of {target.name} are kept there "
                "until it is whole"
            ),
            "Move it away, or choose another target",
        )
    version = _version(partial)
    if version != VERSION:
        raise TargetError(
            f"{partial}: found what another version of spectralgpt kept of an unfinished scene (format {version}",
            f"{VERSION}), which this one cannot go on with: delete the folder and start again",
        )


def _foreign(partial: Path) -> str:
    """What in TARGET.partial is not ours, in words; empty where all is."""
    if partial.is_symlink() or not partial.is_dir():
        return "a link" if partial.is_symlink() else "something that is not a folder"
    try:
        names = {path.name for path in partial.iterdir()}
        others = sorted(name for name in names if not _is_ours(partial / name))
        if others:
            return f"a folder with {others[0]}" + (f" and {len(others) - 1} more" if len(others) > 1 else "")
        if names <= {"plan.json.new", "lock"}:  # killed while it was made or removed
            return ""
        content = json.loads((partial / "plan.json").read_bytes())
    except (OSError, ValueError) as error:
        return f"a folder without a plan.json that can be read ({error})"
    ours = isinstance(content, dict) and content.get("format") == FORMAT
    return "" if ours else f'a folder with a plan.json of another format than "{FORMAT}"'


def _version(partial: Path) -> object:
    """Of the format of a folder that is ours; this one where a run was killed before it said anything."""
    plan = partial / "plan.json"
    return json.loads(plan.read_bytes()).get("version") if plan.exists() else VERSION


def _is_ours(path: Path) -> bool:
    """Whether a run of ours may have put this into its TARGET.partial."""
    if path.name == "writing":
        return path.is_dir() and not path.is_symlink()
    return _NAMES.fullmatch(path.name) is not None and not path.is_dir()
