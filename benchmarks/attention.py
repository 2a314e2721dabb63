"""The ways to compute attention, for many shapes: how near the chosen one comes to the fastest.

Ways run interleaved in one process, on all threads; the choice is made as in use, on one thread (nn/measured_ways.py).
The first shapes are those of our models, the others stand for what users bring.

    python benchmarks/attention.py --repeats 7 --threads 2
"""

import re
import statistics
from collections.abc import Callable, Mapping
from typing import Any

import torch
from measuring import about, given, has_bf16, interleaved, options, write

from spectralgpt.nn.measured_ways import chosen_way
from spectralgpt.nn.ways import WAYS, AttentionShape, possible_ways, usual_way

OURS = ((8, 16, 576, 32), (8, 12, 57, 64), (4, 12, 1024, 64), (2, 3, 1024, 64), (2, 6, 1024, 32))
OTHERS = (
    (16, 3, 90, 64),
    (5, 6, 230, 32),
    (3, 12, 400, 64),
    (1, 16, 900, 64),
    (32, 3, 144, 64),
    (6, 8, 777, 32),
    (2, 16, 1300, 32),
    (12, 12, 196, 64),
)
"""Batch, heads, tokens, width."""


def run_of(way: str, shape: AttentionShape) -> Callable[[], object]:
    torch.manual_seed(0)
    dtype = getattr(torch, shape.dtype)
    together = torch.randn(shape.batch, shape.tokens, 3, shape.heads, shape.width).to(dtype)
    together.requires_grad_(shape.training)
    gradient = torch.randn(shape.batch, shape.heads, shape.tokens, shape.width).to(dtype)
    keys = torch.rand(shape.batch, 1, 1, shape.tokens) < 0.75 if shape.masked else None

    def run() -> object:
        with torch.set_grad_enabled(shape.training):
            q, k, v = together.permute(2, 0, 3, 1, 4).unbind(0)
            out = WAYS[way](q, k, v, keys)
            return torch.autograd.grad(out, (q, k, v), gradient) if shape.training else out

    return run


def compared(shape: AttentionShape, repeats: int) -> dict[str, Any]:
    chosen = chosen_way(shape)
    runs = {way: run_of(way, shape) for way in possible_ways(shape)}
    seconds = interleaved(runs, repeats, "cpu")
    ms = {way: 1e3 * statistics.median(each) for way, each in seconds.items()}
    fastest = min(ms, key=lambda way: ms[way])
    return {
        "chosen": chosen,
        "usual": usual_way(shape),
        "fastest": fastest,
        "over_the_fastest": ms[chosen] / ms[fastest],
        "usual_over_the_fastest": ms[usual_way(shape)] / ms[fastest],
        "ms": ms,
    }


def worst_by_kind(rows: Mapping[str, Mapping[str, Any]]) -> dict[str, float]:
    """Per group of shapes, type and kind of pass."""
    worst: dict[str, float] = {}
    for name, row in rows.items():
        kind = re.sub(r": \(.*\)", ":", name)
        worst[kind] = max(worst.get(kind, 0.0), row["over_the_fastest"])
    return worst


def main() -> None:
    found = given(options(__doc__))
    dtypes = ["float32", "bfloat16"] if has_bf16("cpu") else ["float32"]
    shapes = {"ours": OURS[1:2], "others": OTHERS[:1]} if found.quick else {"ours": OURS, "others": OTHERS}
    rows = {}
    for group, each in shapes.items():
        for dtype in dtypes:
            for training in (True, False):
                for masked in (False, True):
                    for sides in each:
                        shape = AttentionShape(dtype, *sides, masked, training)
                        kind = f"{dtype} {'training' if training else 'forward'}{' masked' if masked else ''}"
                        rows[f"{group}: {sides} {kind}"] = compared(shape, found.repeats)
    worst = {
        group: max(row["over_the_fastest"] for name, row in rows.items() if name.startswith(group)) for group in shapes
    }
    result = {"what": "attention on this CPU", **about(found), "worst": worst, "rows": rows}
    write(
        "attention",
        result,
        {"time over the fastest way, worst of the shapes": worst_by_kind(rows)},
        "1 = fastest",
        found.out,
    )


if __name__ == "__main__":
    main()
