"""How many cores this process may use, and how threads wait for each other."""

import math
import os
from collections.abc import Mapping, MutableMapping
from pathlib import Path

WAIT_POLICY = "OMP_WAIT_POLICY"
"""Environment variable of OpenMP, which PyTorch computes with. It is read when the library starts. Threads that wait
actively, its default, run in circles: beside other processes a step then takes several times its time."""

NUM_THREADS = "OMP_NUM_THREADS"

CGROUPS = Path("/sys/fs/cgroup")


def available_cores() -> int:
    """Cores that this process may use: those that it is bound to, at most as many as its cgroups grant, at least 1.

    A share of a core counts as one.
    """
    bound = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    granted = cgroup_limit()
    return max(1, bound if granted is None else min(bound, math.ceil(granted)))


def usual_threads(environment: Mapping[str, str] = os.environ) -> int:
    """Threads that OpenMP starts: as the environment says, at most one per core that this process may use."""
    asked = environment.get(NUM_THREADS, "").partition(",")[0].strip()
    return min(int(asked), available_cores()) if asked.isdecimal() and int(asked) else available_cores()


def cgroup_limit(root: Path = CGROUPS, process: Path = Path("/proc/self/cgroup")) -> float | None:
    """The lowest limit of cores that this process' cgroups set, of version 1 or 2; None without one."""
    limits = []
    for line in _text(process).splitlines():
        _, controllers, path = (*line.split(":", 2), "", "")[:3]
        base = root if not controllers else root / "cpu" if "cpu" in controllers.split(",") else None
        if base is None:
            continue
        # in a container the path may be the host's, of which only the root is there
        folder = base / path.strip("/")
        for each in (folder, *folder.parents):
            limits.append(_limit(each))
            if each == base:
                break
    found = [limit for limit in limits if limit is not None]
    return min(found, default=None)


set_here: set[str] = set()
"""Environment variables that this process has set, not its user."""


def wait_passively(environment: MutableMapping[str, str]) -> None:
    """Set how OpenMP waits and how many threads it starts, where the user has not: before the library is loaded."""
    for name, value in ((WAIT_POLICY, "passive"), (NUM_THREADS, str(available_cores()))):
        if name not in environment:
            environment[name] = value
            set_here.add(name)


def _limit(folder: Path) -> float | None:
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
