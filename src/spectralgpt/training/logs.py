"""The logs of a run: `log.jsonl`, and where they are wanted TensorBoard and Weights & Biases.

A line is a record: `step`, and numbers by name. A number that is not finite is null. A log that cannot be written does
not stop a run: its records wait in memory, and are written when the disk takes them.
"""

import errno
import importlib
import importlib.util
import json
import math
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from spectralgpt.disk import atomic_write
from spectralgpt.errors import DataError, OptionError, counted
from spectralgpt.free_space import refusal, refusals
from spectralgpt.progress import Announce, unheard

LOG = "log.jsonl"


class RunLog:
    """The logs in the folder of a run. Only the main process writes; in the others, records are ignored."""

    def __init__(
        self,
        folder: Path,
        *,
        tensorboard: bool = True,
        wandb: str | None = None,
        writes: bool = True,
        warn: Announce = unheard,
    ):
        """tensorboard: write to folder/tensorboard, if `tensorboard` is installed. wandb: a project to log to. warn:
        called when the disk refuses a log.

        Raises OptionError when W&B is wanted and not installed.
        """
        if wandb is not None and importlib.util.find_spec("wandb") is None:
            raise OptionError(
                f"machine.wandb={wandb}: the package wandb is not installed",
                do=f"Run pip install wandb, or omit the setting: {folder / LOG} contains everything",
            )
        self.folder, self.writes, self.wandb = folder, writes, wandb
        self.tensorboard = tensorboard and importlib.util.find_spec("tensorboard") is not None
        self._from = 0
        self._warn = warn
        self._waiting: list[bytes] = []
        self._is_open = False
        self._board: Any = None
        self._run: Any = None

    def cut(self, step: int) -> None:
        """Remove the records after a step, from which the run is resumed, and a line that a kill left incomplete.

        To be called before the first record. Raises DataError for a file that is not such a log.
        """
        path = self.folder / LOG
        self._from = step + 1
        if not self.writes or not path.exists():
            return
        with refusals(path), atomic_write(path) as file:
            for record in read_log(path):
                if not (record.get("step") or 0) > step:
                    file.write((json.dumps(record) + "\n").encode())

    def write(self, record: Mapping[str, Any]) -> None:
        """Log a record everywhere; its line is in the file on return, unless the disk refuses it, with a warning."""
        if not self.writes:
            return
        finite = {name: None if _lost(value) else value for name, value in record.items()}
        self._waiting.append((json.dumps(finite) + "\n").encode())
        self._append()
        if not self._is_open:
            self._is_open = True
            self._open()
        numbers = {
            name: each
            for name, each in finite.items()
            if name != "step" and isinstance(each, int | float) and not isinstance(each, bool)
        }
        step = int(record.get("step", 0))
        if self._board is not None:
            try:
                for name, value in numbers.items():
                    self._board.add_scalar(name, value, step)
            except OSError as error:
                self._without_board(error)
        if self._run is not None:
            self._run.log(numbers, step=step)

    def close(self) -> None:
        """Close all logs: no more records follow."""
        if self._waiting:
            self._append()
        if self._waiting:
            self._warn(f"{self.folder / LOG}: the last {counted(len(self._waiting), 'record')} could not be written")
        if self._board is not None:
            try:
                self._board.close()
            except OSError as error:
                self._without_board(error)
        if self._run is not None:
            self._run.finish()
        self._board = self._run = None
        self._is_open = False

    def _append(self) -> None:
        """Write the lines that wait, each of them whole: a part of a line would join the next one."""
        path = self.folder / LOG
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            with open(path, "ab", buffering=0) as file:
                while self._waiting:
                    start = file.seek(0, os.SEEK_END)
                    try:
                        whole = file.write(self._waiting[0]) == len(self._waiting[0])
                    except OSError:
                        file.truncate(start)
                        raise
                    if not whole:
                        file.truncate(start)
                        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
                    self._waiting.pop(0)
        except OSError as error:
            do = "The run goes on: records are kept in memory until the disk takes them"
            self._warn(str(refusal(path, error, do=do)))

    def _without_board(self, error: OSError) -> None:
        """TensorBoard's thread ends with its first error, and no record after it is written."""
        self._board = None
        self._warn(str(refusal(self.folder / "tensorboard", error, do=f"The run goes on, with {LOG} alone")))

    def _open(self) -> None:
        if self.tensorboard:
            from torch.utils.tensorboard import SummaryWriter

            try:
                # TensorBoard hides what a killed run had logged from this step on
                self._board = SummaryWriter(self.folder / "tensorboard", purge_step=self._from)
            except OSError as error:
                self._without_board(error)
        if self.wandb is not None:
            known = self.folder / "wandb-id.txt"
            # a resumed run is the same run there too
            name = known.read_text().strip() if known.exists() else None
            wandb = importlib.import_module("wandb")  # which has no types if it is not installed
            self._run = wandb.init(
                project=self.wandb, name=self.folder.name, dir=self.folder, id=name, resume="allow" if name else None
            )
            known.write_text(self._run.id + "\n")


def read_log(path: Path) -> list[dict[str, Any]]:
    """The records of a log. The last line may be incomplete, after a kill. Raises DataError for any other bad line."""
    records = []
    lines = path.read_bytes().split(b"\n")
    for number, line in enumerate(lines, start=1):
        try:
            record = json.loads(line)
        except (ValueError, RecursionError):
            if number < len(lines):
                raise DataError(
                    f"{path}: line {number} is not JSON", do="Move the file away, or delete this line"
                ) from None
            continue
        if not isinstance(record, dict):
            raise DataError(f"{path}: line {number} is not a record", "names and numbers in each line")
        records.append(record)
    return records


def _lost(value: object) -> bool:
    return isinstance(value, float) and not math.isfinite(value)
