"""A process of a run that the others wait for has ended: which one, in words, instead of the transport's traceback."""

import os
import socket
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import torch.distributed as dist

from spectralgpt.errors import InputError, first_few

WAIT_FOR_END = 2.0
"""Seconds in which a process that closed its connections ends: then its parent may still have to take note of it."""

TRANSPORTS = ("gloo", "NCCL", "TCPStore", "Connection closed", "Timed out waiting")
"""What PyTorch's messages about a broken connection contain; their type is often no more than RuntimeError."""


LOOK_THERE = (
    "Look at its last lines, or in the system's log where it was killed, as for its memory; the same command continues "
    "from the last checkpoint"
)


class LostProcessError(InputError):
    """A process of a run is gone. What was saved stays, and the same command continues from there."""


@dataclass(frozen=True, slots=True)
class RunProcess:
    """A process of a run, as all of them know it."""

    rank: int
    host: str
    pid: int

    def __str__(self) -> str:
        return f"rank {self.rank} (process {self.pid} on {self.host})"

    @property
    def is_here(self) -> bool:
        """Whether it is on this host, where its end can be seen."""
        return self.host == socket.gethostname()

    @property
    def has_ended(self) -> bool:
        """Whether it is gone, or waits only for its parent to take note of that."""
        try:
            os.kill(self.pid, 0)
        except ProcessLookupError:
            return True
        except PermissionError:
            return False
        try:
            # the state stands behind the name, which may contain anything
            return Path(f"/proc/{self.pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
        except (OSError, IndexError):
            return False


def gathered_processes(rank: int, ranks: int) -> tuple[RunProcess, ...]:
    """The processes of the run, by rank; by all processes together."""
    found: list[RunProcess] = [RunProcess(rank, socket.gethostname(), os.getpid())] * ranks
    dist.all_gather_object(found, found[0])
    return tuple(found)


@contextmanager
def naming_lost(processes: Sequence[RunProcess], rank: int) -> Iterator[None]:
    """While entered, the transport's errors become a LostProcessError that names who is gone."""
    try:
        yield
    except RuntimeError as error:
        others = [each for each in processes if each.rank != rank]
        of_transport = isinstance(error, dist.DistError) or any(each in str(error) for each in TRANSPORTS)
        if not of_transport:
            raise
        raise LostProcessError(_found(others), "all processes of the run", LOOK_THERE) from error


def _found(others: Sequence[RunProcess]) -> str:
    """Who is gone; where nobody on this host is, who may be."""
    until = time.monotonic() + WAIT_FOR_END
    here = [each for each in others if each.is_here]
    while here:
        if ended := [each for each in here if each.has_ended]:
            return f"lost {first_few([str(each) for each in ended], 3)}"
        if time.monotonic() > until:
            break
        time.sleep(0.05)
    elsewhere = [each for each in others if not each.is_here]
    return f"lost the connection to {first_few([str(each) for each in elsewhere or here], 3)}"
