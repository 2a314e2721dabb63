"""What the benchmarks share: both models with the same weights, interleaved timing, the peak, results."""

import argparse
import copy
import json
import platform
import statistics
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import matplotlib

matplotlib.use("agg")
import matplotlib.pyplot as plt
import torch
from machine import processor_facts
from textbook import Textbook
from torch import Tensor

from spectralgpt.bands import BandSet, sensor
from spectralgpt.nn import SIZES, Cube, MaskedAutoencoder, ModelConfig, Scaling
from spectralgpt.nn.cpu import MULTIPLIES_BF16, ONEDNN_IN_FP32
from spectralgpt.nn.measured_ways import used_ways

RESULTS = Path(__file__).parents[1] / "docs" / "results"
RATIO = 0.9
EQUAL = 1e-4
"""Largest difference from the textbook, for values of the order of one."""
SQUARE = 2048
"""Side of the square matrices with the product that gives the machine's peak: the fastest of 1024 to 4096 here."""


def options(text: str, **defaults: Any) -> argparse.ArgumentParser:
    """The options of every benchmark of the model."""
    parser = argparse.ArgumentParser(description=text.splitlines()[0])
    parser.add_argument("--size", choices=SIZES, default="base")
    parser.add_argument("--repeats", type=int, default=defaults.get("repeats", 7))
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--quick", action="store_true", help="tiny model, small images: does it run?")
    parser.add_argument("--out", type=Path, help="folder of the results; default docs/results, with --quick none")
    return parser


def given(parser: argparse.ArgumentParser) -> argparse.Namespace:
    """The options given, applied."""
    found = parser.parse_args()
    torch.set_num_threads(found.threads)
    torch.manual_seed(0)
    if found.quick:
        found.size, found.repeats = "tiny", 2
    elif found.out is None:
        found.out = RESULTS
    return found


@dataclass(frozen=True)
class Problem:
    """Both models with the same weights, and a batch."""

    config: ModelConfig
    ours: MaskedAutoencoder
    textbook: Textbook
    image: Tensor
    cube: Cube
    noise: Tensor


def problem(size: str, side: int, batch: int, device: str) -> Problem:
    """A model of the released kind (one spectrum node per group) and random images."""
    bands = BandSet.native(sensor("spectralgpt-12").bands)
    nodes = tuple(group.wavelength for group in bands.groups)
    probe = ModelConfig(SIZES[size], bands)
    places = side // probe.patch
    config = ModelConfig(SIZES[size], bands, image=side, place_nodes=(places, places), spectrum_nodes=nodes)
    ours = MaskedAutoencoder(config).to(device)
    textbook = Textbook.from_ours(config, ours.state_dict()).to(device)
    image = torch.rand(batch, len(bands.bands), side, side, device=device)
    flat = torch.zeros(batch, 1, len(bands.bands), device=device)
    days = torch.full((batch, 1), 18_000, dtype=torch.int32, device=device)
    gsd = torch.full((batch,), 10.0, device=device)
    cube = Cube(image[:, None], None, bands, days, gsd, Scaling("min_max", flat, flat + 1))
    noise = torch.rand(batch, len(bands.groups) * places**2, device=device)
    return Problem(config, ours, textbook, image, cube, noise)


def with_compiled_blocks(model: MaskedAutoencoder) -> MaskedAutoencoder:
    """A copy with compiled blocks: all blocks of a side share one graph, so that compiling takes seconds."""
    compiled = copy.deepcopy(model)
    for block in (*compiled.encoder.blocks, *compiled.decoder.blocks):
        block.compile(fullgraph=True)
    return compiled


def equal(name: str, found: Tensor, wanted: Tensor) -> float:
    """The largest difference, relative to the largest wanted value if that is above one; exits if it is too large."""
    difference = float((found - wanted).abs().max() / wanted.abs().max().clamp(min=1))
    if not difference <= EQUAL:
        sys.exit(f"{name}: found a difference of {difference:.1e} to the textbook; expected at most {EQUAL:g}")
    return difference


# -- operations, by formula: a multiplication and an addition are two --------------------------------------------------


def encoder_operations(config: ModelConfig, tokens: int) -> float:
    """Operations per image, forward: embedding and blocks (24 L D^2 + 4 L^2 D each)."""
    size = config.size
    return 2 * tokens * config.token_values * size.dim + size.depth * block_operations(tokens, size.dim)


def block_operations(tokens: int, dim: int) -> float:
    return 24 * tokens * dim**2 + 4 * tokens**2 * dim


def step_operations(config: ModelConfig, tokens: int, kept: int) -> float:
    """Operations per image of a training step: three times the forward pass, only kept tokens in the encoder."""
    size = config.size
    decoder = size.decoder_depth * block_operations(tokens, size.decoder_dim)
    ends = 2 * kept * size.dim * size.decoder_dim + 2 * tokens * size.decoder_dim * config.token_values
    return 3 * (encoder_operations(config, kept) + decoder + ends)


# -- timing ------------------------------------------------------------------------------------------------------------


def interleaved(runs: Mapping[str, Callable[[], object]], repeats: int, device: str) -> dict[str, list[float]]:
    """Seconds of the runs, interleaved; the first of each is not counted."""
    seconds: dict[str, list[float]] = {name: [] for name in runs}
    for repeat in range(repeats + 1):
        for name, run in runs.items():
            start = time.perf_counter()
            run()
            if device.startswith("cuda"):
                torch.cuda.synchronize()
            taken = time.perf_counter() - start
            if repeat:
                seconds[name].append(taken)
            print(f"  {repeat}/{repeats} {name}: {taken:.3f} s", file=sys.stderr)
    return seconds


def peak_runs(device: str) -> dict[str, Callable[[], object]]:
    """Products of square matrices; by both libraries if the CPU has two for float32, so that no low peak is chosen."""
    a, b = (torch.rand(SQUARE, SQUARE, device=device) for _ in range(2))
    out, low_a, low_b = torch.empty_like(a), a.bfloat16(), b.bfloat16()
    low_out = torch.empty_like(low_a)
    runs: dict[str, Callable[[], object]] = {
        "peak fp32, torch.mm": lambda: [torch.mm(a, b, out=out) for _ in range(5)],
        "peak bf16, torch.mm": lambda: [torch.mm(low_a, low_b, out=low_out) for _ in range(5)],
    }
    if device == "cpu" and torch.backends.mkldnn.is_available():
        product = torch.ops.mkldnn._linear_pointwise
        runs["peak fp32, oneDNN"] = lambda: [product(a, b, None, "none", [], "") for _ in range(5)]
    return runs


def summarized(seconds: Mapping[str, list[float]], operations: float, baseline: str = "textbook") -> dict[str, Any]:
    """Medians, spread, ratios to the baseline (of medians), and shares of the peaks."""
    peaks = {
        name: 5 * 2 * SQUARE**3 / statistics.median(each) / 1e9
        for name, each in seconds.items()
        if name.startswith("peak")
    }
    best = {kind: max(rate for name, rate in peaks.items() if kind in name) for kind in ("fp32", "bf16")}
    rows = {}
    for name, each in seconds.items():
        if name in peaks:
            continue
        median = statistics.median(each)
        kind = "bf16" if "bf16" in name else "fp32"
        rows[name] = {
            "median_s": median,
            "lowest_s": min(each),
            "highest_s": max(each),
            "speedup": statistics.median(seconds[baseline]) / median,
            "gflops": operations / median / 1e9,
            "share_of_best_peak": operations / median / 1e9 / best[kind],
            "share_of_torch_mm": operations / median / 1e9 / peaks[f"peak {kind}, torch.mm"],
        }
    return {"operations": operations, "peaks_gflops": peaks, "rows": rows}


def has_bf16(device: str) -> bool:
    """Whether bfloat16 is measured: elsewhere it is slower, and its goals do not apply."""
    found = device.startswith("cuda") or MULTIPLIES_BF16
    if not found:
        print("bf16: not applicable, the CPU does not multiply it", file=sys.stderr)
    return found


# -- results -----------------------------------------------------------------------------------------------------------


def about(found: argparse.Namespace) -> dict[str, Any]:
    """Command, machine and versions."""
    said = processor_facts()
    flags = [flag for flag in said.get("flags", "").split() if flag.startswith(("avx", "amx"))]
    values = {name: value for name, value in vars(found).items() if name != "out" and value is not None}
    return {
        "command": f"python {Path('benchmarks') / Path(sys.argv[0]).name}",
        "options": values,
        "date": datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC"),
        "cpu": said.get("model name", platform.processor()),
        "cpu_flags": flags,
        "device": torch.cuda.get_device_name() if found.device.startswith("cuda") else "cpu",
        "versions": {"python": platform.python_version(), "torch": torch.__version__},
    }


def write(name: str, result: dict[str, Any], bars: Mapping[str, Mapping[str, float]], label: str, out: Path | None):
    """Write JSON to standard output, with what this process computed by, and to the folder with a picture (bars by case
    and variant)."""
    attention = {f"attention, {kind}": way for kind, way in used_ways().items()}
    text = json.dumps({**result, "ways": {"fp32 by oneDNN": ONEDNN_IN_FP32} | attention}, indent=2)
    print(text)
    if out is None:
        return
    out.mkdir(parents=True, exist_ok=True)
    (out / f"{name}.json").write_text(text + "\n")
    figure, axes = plt.subplots(1, len(bars), figsize=(5.5 * len(bars), 3.2), layout="constrained", squeeze=False)
    for axis, (title, values) in zip(axes[0], bars.items(), strict=True):
        shown = axis.barh(list(values), list(values.values()), color="#4477aa")
        axis.bar_label(shown, fmt="%.2f", padding=3)
        axis.set_title(title, fontsize=10)
        axis.set_xlabel(label)
        axis.margins(x=0.15)
        axis.invert_yaxis()
        axis.spines[["top", "right"]].set_visible(False)
    figure.savefig(out / f"{name}.png", dpi=110)
