"""What this computer's CPU can do, as PyTorch has no public query for it. On systems other than Linux: nothing.

Constants, not functions, so that code that reads them can be compiled.
"""

import platform
import re
from pathlib import Path

import torch


def _about() -> str:
    try:
        return Path("/proc/cpuinfo").read_text()
    except OSError:
        return ""


def _first(name: str) -> str:
    found = re.search(rf"^{name}\s*:\s*(.*)$", _ABOUT, re.MULTILINE)
    return found[1] if found else ""


_ABOUT = _about()

INSTRUCTIONS = tuple(flag for flag in _first("flags").split() if flag.startswith(("avx", "amx", "fma")))
"""Of those that matter here: which extensions the CPU has."""

CPU_NAME = _first("model name") or platform.processor() or platform.machine()

HAS_AMX = "amx_bf16" in INSTRUCTIONS

MULTIPLIES_BF16 = "avx512_bf16" in INSTRUCTIONS or HAS_AMX
"""Whether bfloat16 products are faster than float32 ones; on other CPUs they are several times slower."""

ONEDNN_IN_FP32 = (
    "avx512f" in INSTRUCTIONS
    and "GenuineIntel" not in _ABOUT
    and torch.backends.mkl.is_available()  # type: ignore[no-untyped-call]
    and torch.backends.mkldnn.is_available()  # type: ignore[no-untyped-call]
    and hasattr(torch.ops.mkldnn, "_linear_pointwise")
)
"""Whether PyTorch would leave half of the CPU unused: for float32, MKL uses 256-bit kernels on every non-Intel CPU,
even on those with 512-bit instructions."""
