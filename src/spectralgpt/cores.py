"""How many cores and how much memory this process may use, and how threads wait for each other."""

import math
import os
from collections.abc import Iterator, Mapping, MutableMapping
from pathlib import Path

WAIT_POLICY = "OMP_WAIT_POLICY"
"""Environment variable of OpenMP, which PyTorch computes with. It is read when the library starts. Threads that wait
actively, its default, run in circles: beside other processes a step then takes several times its time."""

SPIN_COUNT, SPINS = "GOMP_SPINCOUNT", 1000
"""Environment variable of GNU's OpenMP, and how often a thread that waits passively looks before it sleeps: some
microseconds. Without, steps of many small operations take 1.4 times as long on a quiet machine; with a hundred times as
many, 35 times as long beside other processes."""

NUM_THREADS = "OMP_NUM_THREADS"

CGROUPS = Path("/sys/fs/cgroup")

OWN_CGROUPS = Path("/proc/self/cgroup")

UNLIMITED = 2**60
"""Bytes from which a limit of memory stands for none: version 1 then has the largest multiple of a page."""


def available_cores() -> int:
    """Cores that this process may use: those that it is bound to, at most as many as its cgroups grant, at least 1.

    A share of a core counts as one.
    """
    bound = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    granted = cgroup_limit()
    return max(1, bound if granted is None else min(bound, math.ceil(granted)))


def usual_threads(environment: Mapping[str, str] = os.environ) -> int:
    """Threads that OpenMP starts: as the environment says, at most one per core that this process may use."""
    asked = asked_threads(environment)
    return available_cores() if asked is None else min(asked, available_cores())


def asked_threads(environment: Mapping[str, str]) -> int | None:
    """The number of threads that the environment asks OpenMP for; None where it names none."""
    asked = environment.get(NUM_THREADS, "").partition(",")[0].strip()
    return int(asked) if asked.isdecimal() and int(asked) else None


def cgroup_limit(root: Path = CGROUPS, process: Path = OWN_CGROUPS) -> float | None:
    """The lowest limit of cores that this process' cgroups set, of version 1 or 2; None without one."""
    limits = map(_cores_of, _cgroups("cpu", root, process))
    return min((limit for limit in limits if limit is not None), default=None)


def memory_limit(root: Path = CGROUPS, process: Path = OWN_CGROUPS) -> int | None:
    """The lowest limit of memory in bytes that this process' cgroups set, of version 1 or 2; None without one."""
    limits = map(_bytes_of, _cgroups("memory", root, process))
    return min((limit for limit in limits if limit is not None), default=None)


set_here: set[str] = set()
"""Environment variables that this process has set, not its user."""


def wait_passively(environment: MutableMapping[str, str]) -> None:
    """Set how OpenMP waits and how many threads it starts, where the user has not: before the library is loaded."""
    wanted = {NUM_THREADS: str(available_cores())}
    if WAIT_POLICY not in environment:
        wanted |= {WAIT_POLICY: "passive", SPIN_COUNT: str(SPINS)}
    for name, value in wanted.items():
        if name not in environment:
            environment[name] = value
            set_here.add(name)


def _cgroups(controller: str, root: Path, process: Path) -> Iterator[Path]:
    """The folders of this process' cgroups with this controller, and of all above them."""
    for line in _text(process).splitlines():
        _, controllers, path = (*line.split(":", 2), "", "")[:3]
        base = root if not controllers else root / controller if controller in controllers.split(",") else None
        if base is None:
            continue
        # in a container the path may be the host's, of which only the root is there
        folder = base / path.strip("/")
        for each in (folder, *folder.parents):
            yield each
            if each == base:
                break


def _bytes_of(folder: Path) -> int | None:
    """Bytes of memory that one cgroup grants."""
    found = (_text(folder / "memory.max") or _text(folder / "memory.limit_in_bytes")).strip()
    return int(found) if found.isdecimal() and int(found) < UNLIMITED else None


def _cores_of(folder: Path) -> float | None:
    """Cores that one cgroup grants: quota by period."""
    quota, period = (*_text(folder / "cpu.max").split(), "", "")[:2]
    if not quota:
        quota, period = (_text(folder / f"cpu.cfs_{each}_us").strip() for each in ("quota", "period"))
    try:
        cores = int(quota) / int(period)
    except (ValueError, ZeroDivisionError):  # "max", or no such file
        return None
    return cores if cores > 0 else None  # -1: without limit


def _text(path: Path) -> str:
    try:
        return path.read_text()
    except OSError:
        return ""
