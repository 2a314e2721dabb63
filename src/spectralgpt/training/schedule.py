"""Learning rates as pure functions of the step."""

import math


def cosine(step: float | int, *, steps: float | int, warmup: float | int, peak: float, floor: float = 0.0) -> float:
    """Linear from 0 to `peak` over `warmup` steps, then half a cosine down to `floor` at `steps`, as in the paper.

    step, steps, warmup: steps or epochs, whole or not.
    """
    if step < warmup:
        return peak * step / warmup
    share = min(1.0, (step - warmup) / max(steps - warmup, 1e-12))
    return floor + (peak - floor) * 0.5 * (1 + math.cos(math.pi * share))
