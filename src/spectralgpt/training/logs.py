"""The logs of a run: `log.jsonl`, and where they are wanted TensorBoard and Weights & Biases.

A line is a record: `step`, and numbers by name. A number that is not finite is null.
"""

import importlib
import importlib.util
import json
import math
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

from spectralgpt.disk import atomic_write
from spectralgpt.errors import CHECK_DISK, DataError, OptionError, TargetError

LOG = "log.jsonl"


class RunLog:
    """The logs in the folder of a run. Only the main process writes; in the others, records are ignored."""

    def __init__(self, folder: Path, *, tensorboard: bool = True, wandb: str | None = None, writes: bool = True):
        """tensorboard: write to folder/tensorboard, if `tensorboard` is installed. wandb: a project to log to.

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
        self._lines: IO[str] | None = None
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
        with _refusals(path), atomic_write(path) as file:
            for record in read_log(path):
                if not (record.get("step") or 0) > step:
                    file.write((json.dumps(record) + "\n").encode())

    def write(self, record: Mapping[str, Any]) -> None:
        """Log a record everywhere; its line is in the file on return. Raises TargetError when the disk refuses."""
        if not self.writes:
            return
        finite = {name: None if _lost(value) else value for name, value in record.items()}
        with _refusals(self.folder / LOG):
            if self._lines is None:
                self._open()
            assert self._lines is not None
            self._lines.write(json.dumps(finite) + "\n")
            self._lines.flush()
        numbers = {name: each for name, each in finite.items() if name != "step" and isinstance(each, int | float)}
        step = int(record.get("step", 0))
        if self._board is not None:
            for name, value in numbers.items():
                self._board.add_scalar(name, value, step)
        if self._run is not None:
            self._run.log(numbers, step=step)

    def close(self) -> None:
        """Close all logs: no more records follow."""
        if self._lines is not None:
            self._lines.close()
        if self._board is not None:
            self._board.close()
        if self._run is not None:
            self._run.finish()
        self._lines = self._board = self._run = None

    def _open(self) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        self._lines = (self.folder / LOG).open("a")
        if self.tensorboard:
            from torch.utils.tensorboard import SummaryWriter

            # TensorBoard hides what a killed run had logged from this step on
            self._board = SummaryWriter(self.folder / "tensorboard", purge_step=self._from)
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


@contextmanager
def _refusals(path: Path) -> Iterator[None]:
    """TargetError for a full disk: the user can fix that."""
    try:
        yield
    except OSError as error:
        raise TargetError(f"{path}: cannot be written to ({error})", do=CHECK_DISK) from error
