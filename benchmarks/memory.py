"""How much memory a pretraining step takes, against the textbook's: one process per variant.

A small step first makes the optimizer's state; then the peak of a step is measured, minus the level before it.

    python benchmarks/memory.py --size base --threads 2
"""

import ctypes
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import torch
from measuring import about, given, has_bf16, options, problem, write
from pretrain_step import steps

VARIANTS = ("textbook", "ours fp32", "ours fp32, checkpointing", "ours bf16", "ours bf16, checkpointing")


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


def main() -> None:
    parser = options(__doc__)
    parser.add_argument("--side", type=int, default=96)
    parser.add_argument("--batch", type=int, default=32)
    parser.add_argument("--variant", choices=VARIANTS, help="measure one, in this process, and print its bytes")
    found = given(parser)
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
