"""How near encoder and pretraining step come to what the CPU can do at most, by size and precision, and where the rest
goes.

Limits: products of square matrices by each library and precision, and copying in memory. Encoder, step and limits run
interleaved in one process. Then a profile of each: the share of time in matrix products, attention, element-wise
functions (norms, GELU, sums), the optimizer, and the rest.

    python benchmarks/limits.py --repeats 5 --threads 2
"""

import statistics
from collections.abc import Callable
from typing import Any

import torch
from measuring import (
    RATIO,
    about,
    encoder_operations,
    given,
    has_bf16,
    interleaved,
    options,
    peak_runs,
    problem,
    step_operations,
    summarized,
    write,
)
from pretrain_step import steps
from torch.profiler import ProfilerActivity, profile

from spectralgpt.nn import Precision, computing_in, kept_count

COPIED = 2**28
"""Bytes copied, much more than a cache holds."""

KINDS = {
    "attention": ("scaled_dot", "bmm", "softmax", "_Blocked", "_FlashForwards", "masked_fill"),
    "matrix products": ("addmm", "::mm", "product", "linear"),
    "optimizer": ("adamw", "foreach", "Optimizer"),
    "element-wise": ("gelu", "layer_norm", "::add", "::mul", "::sum", "::where", "::div", "::copy_", "::pow"),
}
"""Kind of work by what the name of an operator contains, the first that fits."""


def encoder_run(case: Any, precision: Precision) -> Callable[[], object]:
    depth = case.config.size.depth

    def run() -> object:
        with torch.inference_mode(), computing_in(precision, case.image.device):
            return case.ours.features(case.cube, at=(depth,))

    return run


def profiled(run: Callable[[], object]) -> dict[str, float]:
    """Share of the time per kind of work."""
    run()
    with profile(activities=[ProfilerActivity.CPU]) as found:
        run()
    seconds = dict.fromkeys([*KINDS, "rest"], 0.0)
    for each in found.key_averages():
        kind = next((kind for kind, parts in KINDS.items() if any(part in each.key for part in parts)), "rest")
        seconds[kind] += each.self_cpu_time_total
    total = sum(seconds.values())
    return {kind: round(each / total, 3) for kind, each in seconds.items()}


def copying() -> Callable[[], object]:
    source = torch.ones(COPIED // 4)
    target = torch.empty_like(source)
    return lambda: target.copy_(source)


def main() -> None:
    parser = options(__doc__, repeats=5)
    parser.add_argument("--sizes", nargs="+", default=["tiny", "small", "base"])
    found = given(parser)
    side, batch = (32, 2) if found.quick else (128, 8)
    precisions: list[Precision] = ["fp32", "bf16"] if has_bf16(found.device) else ["fp32"]
    results: dict[str, Any] = {}
    for size in ["tiny"] if found.quick else found.sizes:
        case = problem(size, side, batch, found.device)
        tokens = case.noise.shape[1]
        of_step = {
            f"step {name.split()[1]}": run for name, run in steps(case, found.device, False).items() if "ours" in name
        }
        runs = {f"encoder {each}": encoder_run(case, each) for each in precisions} | of_step
        seconds = interleaved(peak_runs(found.device) | runs, found.repeats, found.device)
        operations = {
            "encoder": batch * encoder_operations(case.config, tokens),
            "step": batch * step_operations(case.config, tokens, kept_count(tokens, RATIO)),
        }
        rows = {}
        for kind, count in operations.items():
            mine = {name: each for name, each in seconds.items() if name.startswith((kind, "peak"))}
            measured = summarized(mine, count, baseline=f"{kind} fp32")
            rows |= {name: row | {"shares_of_time": profiled(runs[name])} for name, row in measured["rows"].items()}
        results[size] = {"peaks_gflops": measured["peaks_gflops"], "rows": rows}
    copied = interleaved({"copy": copying()}, found.repeats, found.device)["copy"]
    result = {
        "what": f"limits of the CPU, {side} px, batch {batch}, {RATIO} hidden in a step",
        **about(found),
        "gb_per_s_read_and_written": 2 * COPIED / statistics.median(copied) / 1e9,
        "sizes": results,
    }
    bars = {
        f"share of the peak of matrix products, {size}": {
            name: row["share_of_best_peak"] for name, row in each["rows"].items()
        }
        for size, each in results.items()
    }
    write("limits", result, bars, "share of the best peak", found.out)


if __name__ == "__main__":
    main()
