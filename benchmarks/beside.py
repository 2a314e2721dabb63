"""How much longer work takes beside busy processes than alone, with threads that wait passively, as commands do, and
actively, as PyTorch does by default.

On as many cores as busy processes, twice the quiet time is a fair share. Every measurement is a process of its own:
a training step, `embed` of a map, 20 batches of the encoder.

    python benchmarks/beside.py --repeats 10
"""

import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from measuring import about, given, options, write

from spectralgpt.cores import wait_passively

WAITING: dict[str, dict[str, str]] = {"passive": {}, "active": {}}
wait_passively(WAITING["passive"])

ACTIVE_REPEATS = 3
"""Of active waiting, which is only there for comparison, and takes long beside others."""

LEAST_S = 0.5
"""Seconds that a measurement lasts at least, as the system shares cores in turns of some milliseconds."""


def training_step() -> Callable[[], object]:
    """Two images of 128 px, the tiny size."""
    from measuring import problem
    from pretrain_step import steps

    case = problem("tiny", 128, 2, "cpu")
    found = steps(case, "cpu", False)
    return found.get("ours bf16", found["ours fp32"])


def embedding() -> Callable[[], object]:
    """A map of 512 px with an untrained model."""
    import tempfile
    from pathlib import Path

    import numpy as np

    import spectralgpt

    names = ["B02", "B03", "B04", "B08", "B11", "B12"]
    values = np.random.default_rng(0).integers(200, 4000, (len(names), 512, 512)).astype(np.uint16)
    pixels = spectralgpt.as_pixels(values, bands=f"s2-l2a:{','.join(names)}", gsd=10, trust_input=True)
    target = Path(tempfile.mkdtemp()) / "map.tif"
    return lambda: spectralgpt.embed(pixels, target, weights="untrained", trust_input=True)


def encoder_batches() -> Callable[[], object]:
    from limits import encoder_run
    from measuring import has_bf16, problem

    run = encoder_run(problem("tiny", 128, 8, "cpu"), "bf16" if has_bf16("cpu") else "fp32")
    return lambda: [run() for _ in range(20)]


WORK = {"training step": training_step, "embed": embedding, "20 encoder batches": encoder_batches}


def seconds_of(work: str) -> float:
    """Of the work, the mean over at least LEAST_S, after one run that is not counted."""
    run = WORK[work]()
    run()
    start, count = time.perf_counter(), 0
    while time.perf_counter() - start < LEAST_S:
        run()
        count += 1
    return (time.perf_counter() - start) / count


def measured(work: str, waiting: str) -> float:
    """In a process of its own."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("OMP_", "GOMP_"))}
    command = [sys.executable, __file__, "--work", work]
    found = subprocess.run(command, env=environment | WAITING[waiting], stdout=subprocess.PIPE, text=True, check=True)
    return float(found.stdout.splitlines()[-1])


@contextmanager
def busy(count: int) -> Iterator[None]:
    """Beside this many processes that never wait."""
    others = [subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(count)]
    try:
        yield
    finally:
        for each in others:
            each.kill()
            each.wait()


def main() -> None:
    parser = options(__doc__, repeats=10)
    parser.add_argument("--work", choices=WORK, help="measure this in this process, and print its seconds")
    parser.add_argument("--busy", type=int, default=2, help="busy processes of one thread")
    found = given(parser)
    if found.work:
        print(seconds_of(found.work))
        return
    seconds: dict[str, dict[str, dict[str, list[float]]]] = {}
    for repeat in range(found.repeats):
        for work in WORK:
            for waiting in WAITING if repeat < ACTIVE_REPEATS else ["passive"]:
                mine = seconds.setdefault(work, {}).setdefault(waiting, {"quiet": [], "beside": []})
                mine["quiet"].append(measured(work, waiting))
                with busy(found.busy):
                    mine["beside"].append(measured(work, waiting))
                ratio = mine["beside"][-1] / mine["quiet"][-1]
                print(
                    f"  {repeat + 1}/{found.repeats} {work}, {waiting}: {mine['quiet'][-1]:.4f} s, x {ratio:.2f}",
                    file=sys.stderr,
                )
    rows: dict[str, Any] = {}
    for work, by_waiting in seconds.items():
        for waiting, mine in by_waiting.items():
            ratios = [beside / quiet for quiet, beside in zip(mine["quiet"], mine["beside"], strict=True)]
            rows[f"{work}, {waiting}"] = {
                "quiet_median_s": statistics.median(mine["quiet"]),
                "beside_median_s": statistics.median(mine["beside"]),
                "ratio_of_medians": statistics.median(mine["beside"]) / statistics.median(mine["quiet"]),
                "highest_ratio": max(ratios),
                "repeats": len(ratios),
            }
    result = {"what": f"beside {found.busy} busy processes", **about(found), "rows": rows}
    bars = {"time beside others by time alone": {name: row["ratio_of_medians"] for name, row in rows.items()}}
    write("beside", result, bars, "2 is a fair share", found.out)


if __name__ == "__main__":
    main()
