"""Reads mutants of files that a user hands over, each in a process of its own with limits, and prints what came of it.

    python made_mutant_worker.py FOLDER FIRST COUNT [NAME...]

One line of JSON per mutant: name, number, outcome (read, refused, fault, crash, slow, large), and what was said.
"""

import contextlib
import json
import os
import resource
import shutil
import signal
import sys
import time
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

import made_handed_files
import made_handed_models  # noqa: F401  adds to HANDED
from made_handed_files import HANDED, Handed
from made_mutants import mutant
from spectralgpt.errors import InputError

SECONDS, WAITED = 5, 120
"""Seconds of the processor that a mutant may take; and in all, as the machine may be busy."""

MEMORY = 10**9
"""Bytes above the level before that it may take."""

HERE = "here"
"""Folder in which a file is made, and then read: an interrupted result names its sources by their paths."""

FENCE = 4 * MEMORY
"""Bytes of addresses above the level before, at which memory is refused, so that the machine is safe."""


def field(name: str) -> int:
    """A field of this process's status, bytes."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return 1024 * next(int(line.split()[1]) for line in lines if line.startswith(name + ":"))


def outcome(read: Callable[[Path], None], folder: Path) -> dict[str, Any]:
    """What comes of reading, in this process."""
    resource.setrlimit(resource.RLIMIT_CPU, (SECONDS, SECONDS + 1))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    limit = field("VmSize") + FENCE
    resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
    before = field("VmRSS")
    with contextlib.suppress(OSError):
        Path("/proc/self/clear_refs").write_text("5")  # resets the peak
    try:
        read(folder)
        found = {"outcome": "read", "said": ""}
    except InputError as error:
        found = {"outcome": "refused", "said": str(error)}
    except BaseException:
        found = {"outcome": "fault", "said": traceback.format_exc()}
    taken = field("VmHWM") - before
    if taken > MEMORY and found["outcome"] != "fault":
        found = {"outcome": "large", "said": f"{taken / 1e6:.0f} MB; {found['said']}"}
    return found


def in_process(read: Callable[[Path], None], folder: Path, said: Path) -> dict[str, Any]:
    """The same in a process of its own, which may crash or hang."""
    child = os.fork()
    if not child:
        with contextlib.suppress(BaseException):
            silent = os.open(os.devnull, os.O_RDWR)
            for number in (0, 1, 2):
                os.dup2(silent, number)
            os.chdir(folder)
            found = outcome(read, folder)
            said.write_text(json.dumps(found))
        os._exit(0)
    end = time.monotonic() + WAITED
    pause = 0.002
    while True:
        ended, status = os.waitpid(child, os.WNOHANG)
        if ended:
            break
        if time.monotonic() > end:
            os.kill(child, signal.SIGKILL)
            os.waitpid(child, 0)
            return {"outcome": "slow", "said": f"not done in {WAITED} s"}
        time.sleep(pause)
        pause = min(0.05, 1.3 * pause)
    if os.WIFSIGNALED(status):
        number = os.WTERMSIG(status)
        slow = number in (signal.SIGXCPU, signal.SIGKILL)
        return {"outcome": "slow" if slow else "crash", "said": signal.Signals(number).name}
    return json.loads(said.read_text()) if said.exists() else {"outcome": "crash", "said": "no outcome"}


def made_apart(handed: Handed, here: Path, said: Path) -> Path:
    """The file, made in a process of its own: torch and scenes start threads, after which no process can be forked."""
    child = os.fork()
    if not child:
        with contextlib.suppress(BaseException):
            said.write_text(str(handed.make(here)))
        os._exit(0)
    os.waitpid(child, 0)
    return Path(said.read_text())


def tried(handed: Handed, made: Path, file: Path, number: int, work: Path) -> dict[str, Any]:
    """A mutant's outcome. number 0: the file as it is."""
    folder, said = work / HERE, work / "said"
    shutil.rmtree(folder, ignore_errors=True)
    said.unlink(missing_ok=True)
    shutil.copytree(made, folder, symlinks=True)
    content = file.read_bytes()
    if number:
        (folder / file.relative_to(made)).write_bytes(mutant(content, handed.name, number))
    return {"name": handed.name, "number": number, **in_process(handed.read, folder, said)}


def import_heavy() -> None:
    """What reading weights, shards and scenes imports, once for all processes."""
    import pyarrow.parquet  # noqa: F401
    import torch  # noqa: F401

    import spectralgpt.data.labels
    import spectralgpt.features
    import spectralgpt.report
    import spectralgpt.scenes
    import spectralgpt.weights  # noqa: F401


def main() -> None:
    work, first, count, names = Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]), sys.argv[4:]
    chosen = [each for each in HANDED if not names or each.name in names]
    light = [each for each in chosen if each.read.__module__ == made_handed_files.__name__]
    made_handed_files.warm(light)
    if len(light) < len(chosen):
        import_heavy()
    for handed in chosen:
        here, made = work / HERE, work / "made"
        for each in (here, made):
            shutil.rmtree(each, ignore_errors=True)
        here.mkdir()
        file = made / made_apart(handed, here, work / "said").relative_to(here)
        here.rename(made)
        for number in range(first, first + count):
            print(json.dumps(tried(handed, made, file, number, work)), flush=True)


if __name__ == "__main__":
    main()
