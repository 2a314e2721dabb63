"""How much memory a pretraining step takes, against the textbook's, and how much a scene takes: one process per case.

Steps: a small step first makes the optimizer's state; then the peak of a step is measured, minus the level before it.
Scenes: the peak of a whole process that runs `embed` or `reconstruct` with the packaged weights on a made scene of 12
bands, in three widths, and in three heights of the widest, as it must not grow with the height.

    python benchmarks/memory.py --size base --threads 2
    python benchmarks/memory.py --scenes --threads 2
"""

import argparse
import ctypes
import subprocess
import sys
import tempfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import rasterio
import torch
from affine import Affine
from measuring import about, given, has_bf16, options, problem, write
from pretrain_step import steps

VARIANTS = ("textbook", "ours fp32", "ours fp32, checkpointing", "ours bf16", "ours bf16, checkpointing")

VERBS = ("embed", "reconstruct")
WIDTHS, HEIGHTS = (2745, 5490, 10980), (256, 512, 1024)
"""Pixels of the scenes; a tile of Sentinel-2 is 10,980 wide."""
NAMES = ("B1", "B2", "B3", "B4", "B5", "B6", "B7", "B8", "B8A", "B9", "B11", "B12")
MOST = 1.2e9
"""Bytes that a process may take for the widest scene."""


def status(field: str) -> int:
    """A field of this process's status, bytes."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return 1024 * next(int(line.split()[1]) for line in lines if line.startswith(field + ":"))


def measured(variant: str, size: str, side: int, batch: int, device: str) -> int:
    """Bytes of one step above the level before it."""
    name, _, checkpointing = variant.partition(", ")
    case = problem(size, side, batch, device)
    case.ours.set_checkpointing(bool(checkpointing))
    step = steps(case, device, False)[name]
    one = replace(problem("tiny", side, 1, device), ours=case.ours, textbook=case.textbook, config=case.config)
    step(one)  # the optimizer's state
    for model in (case.ours, case.textbook):
        model.zero_grad(set_to_none=True)
    if device.startswith("cuda"):
        torch.cuda.reset_peak_memory_stats()
        before = torch.cuda.memory_allocated()
        step()
        return torch.cuda.max_memory_allocated() - before
    ctypes.CDLL(None).malloc_trim(0)
    Path("/proc/self/clear_refs").write_text("5")  # resets the peak
    before = status("VmRSS")
    step()
    return status("VmHWM") - before


def made_scene(path: Path, width: int, height: int) -> Path:
    """Land in 12 bands of uint16, written row of tiles by row of tiles."""
    random = np.random.default_rng(width + height)
    profile = {"driver": "GTiff", "height": height, "width": width, "count": len(NAMES), "dtype": "uint16", "nodata": 0}
    profile |= {"tiled": True, "blockxsize": 512, "blockysize": 512, "compress": "deflate", "predictor": 2}
    profile |= {"interleave": "band", "crs": "EPSG:32633", "transform": Affine(10.0, 0.0, 6e5, 0.0, -10.0, 4.9e6)}
    with rasterio.open(path, "w", **profile) as dataset:
        for index, name in enumerate(NAMES, 1):
            dataset.set_band_description(index, name)
        for top in range(0, height, 512):
            rows = min(512, height - top)
            r, c = np.ogrid[top : top + rows, :width]
            relief = 1500 + 900 * np.sin(r / 23) * np.cos(c / 31)
            for index in range(1, len(NAMES) + 1):
                values = relief * (0.6 + 0.1 * index) + random.integers(0, 120, relief.shape)
                window = rasterio.windows.Window(0, top, width, rows)
                dataset.write(values.astype(np.uint16), index, window=window)
    return path


def peak_of_a_verb(verb: str, source: Path) -> int:
    """The most memory that this process has held after the verb, bytes."""
    import spectralgpt

    getattr(spectralgpt, verb)(source, source.with_name(f"{verb}.tif"), bands="s2-l2a", overwrite=True)
    return status("VmHWM")


def scenes(widths: tuple[int, ...], heights: tuple[int, ...], threads: int) -> dict[str, dict[str, float]]:
    """A row per verb and size."""
    sizes = [(width, heights[0]) for width in widths[:-1]] + [(widths[-1], height) for height in heights]
    rows: dict[str, dict[str, float]] = {}
    with tempfile.TemporaryDirectory() as folder:
        for width, height in sizes:
            source = made_scene(Path(folder) / "scene.tif", width, height)
            for verb in VERBS:
                command = [sys.executable, __file__, "--scene", verb, str(source), "--threads", str(threads)]
                said = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True).stdout
                peak = int(said.splitlines()[-1])
                rows[f"{verb}, {width} x {height} px"] = {"bytes": peak, "share_of_most": peak / MOST}
                print(f"  {verb}, {width} x {height} px: {peak / 1e6:.0f} MB", file=sys.stderr)
    return rows


def write_scenes(found: argparse.Namespace) -> None:
    """Measure the scenes, and write what was found. growth: of the widest, from the lowest to the highest."""
    widths, heights = ((160, 320, 480), (160, 320, 480)) if found.quick else (WIDTHS, HEIGHTS)
    rows = scenes(widths, heights, found.threads)
    ends = {verb: [rows[f"{verb}, {widths[-1]} x {height} px"]["bytes"] for height in heights] for verb in VERBS}
    growth = {verb: peaks[-1] / peaks[0] - 1 for verb, peaks in ends.items()}
    what = "peak memory of a process that runs a verb with the packaged weights on 12 bands"
    result = {"what": what, **about(found), "most_bytes": MOST, "growth_with_height": growth, "rows": rows}
    bars = {"peak memory of a scene, GB": {name: row["bytes"] / 1e9 for name, row in rows.items()}}
    write("scene_memory", result, bars, "GB", found.out)


def main() -> None:
    parser = options(__doc__)
    parser.add_argument("--side", type=int, default=96)
    parser.add_argument("--batch", type=int, default=32)
    parser.add_argument("--variant", choices=VARIANTS, help="measure one, in this process, and print its bytes")
    parser.add_argument("--scenes", action="store_true", help="measure scenes instead of steps")
    parser.add_argument("--scene", nargs=2, metavar=("VERB", "SOURCE"), help="run a verb here, and print its peak")
    found = given(parser)
    if found.scene:
        print(peak_of_a_verb(found.scene[0], Path(found.scene[1])))
        return
    if found.scenes:
        write_scenes(found)
        return
    if found.quick:
        found.side, found.batch = 32, 2
    if found.variant:
        print(measured(found.variant, found.size, found.side, found.batch, found.device))
        return
    rows: dict[str, dict[str, float]] = {}
    for variant in VARIANTS if has_bf16(found.device) else VARIANTS[:3]:
        command = [sys.executable, __file__, "--variant", variant, "--size", found.size, "--side", str(found.side)]
        command += ["--batch", str(found.batch), "--threads", str(found.threads), "--device", found.device]
        # neither --quick, which would choose the size again, nor files
        said = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True).stdout
        peak = int(said.splitlines()[-1])
        rows[variant] = {"bytes": peak, "share_of_textbook": peak / rows["textbook"]["bytes"] if rows else 1.0}
        print(f"  {variant}: {peak / 2**20:.0f} MiB", file=sys.stderr)
    what = f"peak memory of a pretraining step less the level before it, {found.size}, {found.side} px, "
    result = {"what": what + f"batch {found.batch}", **about(found), "rows": rows}
    bars = {
        f"peak memory of a step, {found.size}, {found.side} px, batch {found.batch}": {
            name: row["share_of_textbook"] for name, row in rows.items()
        }
    }
    write("memory", result, bars, "textbook = 1", found.out)


if __name__ == "__main__":
    main()
