"""The folder of a report: `metrics.json` and `report.html`."""

import json
import math
import os
from collections.abc import Collection, Mapping
from dataclasses import fields, is_dataclass
from pathlib import Path
from typing import Any

import numpy as np

from spectralgpt.disk import atomic_write
from spectralgpt.errors import CHECK_DISK, TargetError, first_few
from spectralgpt.free_space import refusals
from spectralgpt.report.evaluation.contents import EvaluationPage
from spectralgpt.report.evaluation.measured import measured
from spectralgpt.report.evaluation.page import GENERATOR, html_page

REPORT_METRICS = "metrics.json"
REPORT_PAGE = "report.html"
REPORT_FILES = (REPORT_PAGE, REPORT_METRICS)
FORMAT = "spectralgpt report"
VERSION = 1
REPORT_MARK = "mark"
"""The key of the mark of the command that wrote a report."""

PARTIAL_REPORT = ".partial"
"""Ending of a file that a killed run may have left."""


def write_report(
    folder: Path,
    page: EvaluationPage,
    metrics: Mapping[str, Any],
    beside: Collection[str] = (),
    *,
    mark: Mapping[str, str] | None = None,
    overwrite: bool = False,
) -> None:
    """Write `report.html` and then `metrics.json`, each in an atomic write, into the folder, which is made if missing.

    `metrics.json` is one object, with null where a number is not defined. Its keys: `format` ("spectralgpt report")
    and `version`; what `measured` returns of the page (`title`, `subtitle`, `method`, `marks`, `facts`, `notes`,
    `command`, `intervals`, `scores`, `classes`, `unit`, `confusion`, `curves`, `calibration`); and those of `metrics`,
    which replace the page's where they have the same name. metrics: of texts, numbers, arrays, dataclasses, paths and
    None, in lists and mappings.

    beside, mark, overwrite: as for `check_report_target`, which refuses the folder here too; the mark is written as
    `mark`. Raises TargetError also where the disk refuses.
    """
    check_report_target(folder, beside, mark=mark, overwrite=overwrite)
    text = html_page(page)
    contents = {"format": FORMAT, "version": VERSION, **_plain(measured(page)), **_plain(metrics)}
    if mark is not None:
        contents[REPORT_MARK] = dict(mark)
    numbers = json.dumps(contents, indent=1, allow_nan=False) + "\n"
    files = {REPORT_PAGE: text.encode(), REPORT_METRICS: numbers.encode()}
    with refusals(folder, needed=sum(map(len, files.values()))):
        folder.mkdir(parents=True, exist_ok=True)
        for name, written in files.items():
            with atomic_write(folder / name, PARTIAL_REPORT) as file:
                file.write(written)


def check_report_target(
    folder: Path, beside: Collection[str] = (), *, mark: Mapping[str, str] | None = None, overwrite: bool = False
) -> tuple[str, ...]:
    """A line for each existing file that only `overwrite` lets a report replace.

    TargetError unless the folder is new, is empty, or holds an earlier report, which will be replaced. beside: names in
    the folder that the caller writes itself, like a saved probe; they alone do not make it another's. mark: of the
    command; an earlier report with another one or none, and files of others with our names, are replaced only with
    `overwrite`. None: any report of ours is replaced.
    """
    new = "a new folder, an empty one, or an earlier report"
    try:
        if not folder.is_dir():
            if folder.exists() or folder.is_symlink():
                raise TargetError(f"{folder}: found a file", "a folder", "Choose another name")
            _check_parent(folder)
            return ()
        names = sorted(each.name for each in folder.iterdir())
        if not os.access(folder, os.W_OK | os.X_OK):
            raise TargetError(f"{folder}: cannot be written to", do=CHECK_DISK)
        own = [name for name in (REPORT_METRICS, REPORT_PAGE) if name in names]
        foreign = [name for name in own if not _ours(folder / name)]
    except OSError as error:
        raise TargetError(f"{folder}: cannot be read ({error.strerror})", do=CHECK_DISK) from error
    if foreign and not overwrite:
        choose = "Choose another folder" if mark is None else "Choose another folder, or replace it:"
        advice = () if mark is None else (("overwrite", True),)
        raise TargetError(f"{folder}: found another {' and another '.join(foreign)}", new, choose, *advice)
    left = {f"{name}{PARTIAL_REPORT}" for name in (REPORT_METRICS, REPORT_PAGE)}
    others = [name for name in names if name not in {*beside, *left} and not name.startswith(".")]
    if others and not own:
        raise TargetError(f"{folder}: found {first_few(others, 3)}", new, "Choose another folder")
    lines = tuple(f"replaces {folder / name}, which is no report of spectralgpt" for name in foreign)
    if mark is None or not own or foreign:
        return lines
    return _of_another_command(folder, mark, overwrite)


def _of_another_command(folder: Path, mark: Mapping[str, str], overwrite: bool) -> tuple[str, ...]:
    """A line where the report is replaced although another command wrote it; TargetError where it must not be."""
    try:
        found = json.loads((folder / REPORT_METRICS).read_bytes()).get(REPORT_MARK)
    except FileNotFoundError:  # killed between the two files
        return ()
    same = [name for name in mark if not name.endswith("VERSION")]
    if isinstance(found, dict) and all(found.get(name) == mark[name] for name in same):
        return ()
    if not overwrite:
        raise TargetError(
            f"{folder}: holds a report of another command or on other data",
            "a new folder, or the report of the same command",
            "To replace it:",
            ("overwrite", True),
        )
    return (f"replaces the report in {folder}, which is of another command or on other data",)


def _check_parent(folder: Path) -> None:
    """TargetError where the folder cannot be made."""
    above = next(each for each in folder.absolute().parents if each.exists())
    if not above.is_dir():
        raise TargetError(f"{folder}: {above} is not a folder", do="Choose another folder")
    if not os.access(above, os.W_OK | os.X_OK):
        raise TargetError(f"{folder}: cannot be written to", do=CHECK_DISK)


def _ours(path: Path) -> bool:
    """Whether a file of one of our names says that it is ours."""
    if not path.is_file():
        return False
    data = path.read_bytes()
    if path.name == REPORT_PAGE:
        return f'<meta name="generator" content="{GENERATOR}">'.encode() in data[:2000]
    try:
        contents = json.loads(data)
    except (ValueError, RecursionError):
        return False
    return isinstance(contents, dict) and contents.get("format") == FORMAT


def _plain(value: Any) -> Any:
    """What JSON can hold: null for numbers that are not finite, lists for arrays, texts for paths."""
    if isinstance(value, np.ndarray | np.generic):
        value = value.tolist()
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, Path):
        return str(value)
    if isinstance(value, Mapping):
        return {str(key): _plain(each) for key, each in value.items()}
    if is_dataclass(value) and not isinstance(value, type):
        return {each.name: _plain(getattr(value, each.name)) for each in fields(value)}
    if isinstance(value, list | tuple):
        return [_plain(each) for each in value]
    return value
