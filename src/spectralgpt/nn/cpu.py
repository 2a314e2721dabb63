"""What this computer's CPU can do, as PyTorch has no public query for it. On systems other than Linux: nothing.

Constants, not functions, so that code that reads them can be compiled.
"""

from pathlib import Path

import torch


def _about() -> str:
    try:
        return Path("/proc/cpuinfo").read_text()
    except OSError:
        return ""


_ABOUT = _about()

MULTIPLIES_BF16 = "avx512_bf16" in _ABOUT or "amx_bf16" in _ABOUT
"""Whether bfloat16 products are faster than float32 ones; on other CPUs they are several times slower."""

BLOCKS_IN_BF16 = "avx512_bf16" in _ABOUT and "amx_bf16" not in _ABOUT
"""Whether attention in bfloat16 by blocks beats PyTorch's kernel, which is fast only with AMX."""

ONEDNN_IN_FP32 = (
    "avx512f" in _ABOUT
    and "GenuineIntel" not in _ABOUT
    and torch.backends.mkl.is_available()  # type: ignore[no-untyped-call]
    and torch.backends.mkldnn.is_available()  # type: ignore[no-untyped-call]
    and hasattr(torch.ops.mkldnn, "_linear_pointwise")
)
"""Whether PyTorch would leave half of the CPU unused: for float32, MKL uses 256-bit kernels on every non-Intel CPU,
even on those with 512-bit instructions."""
