"""How much faster steps and encoder are than in an earlier version: two checkouts, in alternating processes.

git worktree add ../earlier de17141
python benchmarks/since.py ../earlier --repeats 5
"""

import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

from measuring import about, given, options, write

HERE = Path(__file__).resolve().parents[1]
CASES = {
    "base step, 96 px, batch 8": ("step", "base", 96, 8),
    "base step, 128 px, batch 4": ("step", "base", 128, 4),
    "tiny step, 96 px, batch 8": ("step", "tiny", 96, 8),
    "base encoder, 128 px, batch 8": ("encoder", "base", 128, 8),
    "tiny encoder, 128 px, batch 8": ("encoder", "tiny", 128, 8),
}
LEAST_S, RUNS = 1.0, 3
"""Seconds and runs that are measured at least, in each process, of which the median counts."""


def runs_of(kind: str, size: str, side: int, batch: int) -> dict[str, Callable[[], object]]:
    """By what the checkout on the path has: its own benchmarks know its own model."""
    import torch
    from measuring import has_bf16, problem
    from pretrain_step import steps

    from spectralgpt.nn import computing_in

    case = problem(size, side, batch, "cpu")
    if kind == "step":
        found = steps(case, "cpu", False)
        return {name.split()[1]: run for name, run in found.items() if name != "textbook"} | {
            "textbook": found["textbook"]
        }

    def encoder(precision: str) -> Callable[[], object]:
        def run() -> object:
            with torch.inference_mode(), computing_in(precision, torch.device("cpu")):
                return case.ours.features(case.cube, at=(case.config.size.depth,))

        return run

    return {each: encoder(each) for each in (("fp32", "bf16") if has_bf16("cpu") else ("fp32",))}


def measure(case: str, what: str, threads: int) -> None:
    """Print the median seconds."""
    import torch

    torch.set_num_threads(threads)
    run = runs_of(*CASES[case])[what]
    run()
    run()
    seconds, until = [], time.perf_counter() + LEAST_S
    while len(seconds) < RUNS or time.perf_counter() < until:
        start = time.perf_counter()
        run()
        seconds.append(time.perf_counter() - start)
    print(statistics.median(seconds))


def in_process(checkout: Path, case: str, what: str, threads: int) -> float:
    path = os.pathsep.join([str(checkout / "src"), str(checkout / "benchmarks")])
    code = f"import runpy; runpy.run_path({__file__!r})['measure']({case!r}, {what!r}, {threads})"
    command = [sys.executable, "-c", code]
    found = subprocess.run(
        command, env=os.environ | {"PYTHONPATH": path}, stdout=subprocess.PIPE, text=True, check=True
    )
    return float(found.stdout.splitlines()[-1])


def main() -> None:
    parser = options(__doc__, repeats=5)
    parser.add_argument("earlier", type=Path, help="checkout of the earlier version")
    parser.add_argument("--cases", nargs="+", default=list(CASES))
    found = given(parser)
    checkouts = {"earlier": found.earlier.resolve(), "now": HERE}
    rows = {}
    for case in found.cases:
        for what in ("bf16", "fp32"):
            seconds: dict[str, list[float]] = {name: [] for name in checkouts}
            for repeat in range(found.repeats):
                for name, checkout in checkouts.items():
                    seconds[name].append(in_process(checkout, case, what, found.threads))
                print(f"  {repeat + 1}/{found.repeats} {case}, {what}: {seconds}", file=sys.stderr)
            ratios = [before / now for before, now in zip(*seconds.values(), strict=True)]
            medians = {name: statistics.median(each) for name, each in seconds.items()}
            rows[f"{case}, {what}"] = {
                **{f"{name}_s": each for name, each in medians.items()},
                "speedup": medians["earlier"] / medians["now"],
                "lowest": min(ratios),
                "highest": max(ratios),
            }
    found.earlier = str(found.earlier)
    result = {"what": "speed against an earlier version, alternating processes", **about(found), "rows": rows}
    bars = {"speed, earlier version = 1": {name: row["speedup"] for name, row in rows.items()}}
    write("since", result, bars, "earlier = 1", found.out)


if __name__ == "__main__":
    main()
