"""The minimum of a smooth, strictly convex function by L-BFGS (Liu and Nocedal 1989), without what a general solver
adds to each step: small fits are repeated ten thousand times."""

from collections.abc import Callable

import numpy as np
from jaxtyping import Float64

Vector = Float64[np.ndarray, " number"]
Valued = Callable[[Vector], tuple[float, Vector]]
"""Value and gradient."""

REMEMBERED = 10
"""Steps that shape the next one."""
SUFFICIENT = 1e-4
"""Of the decrease that the slope promises, the least share to take a step."""
HALVINGS = 30


def minimum(function: Valued, start: Vector, tolerance: float, iterations: int) -> Vector:
    """Where no entry of the gradient is above the tolerance; or how far so many iterations came, or float64 goes."""
    at = start
    value, gradient = function(at)
    steps: list[tuple[Vector, Vector, float]] = []
    for _ in range(iterations):
        if np.abs(gradient).max(initial=0.0) <= tolerance:
            break
        direction = _direction(gradient, steps)
        slope = float(gradient @ direction)
        # the first direction has no scale: a step of length 1 at most
        size = 1.0 if steps else min(1.0, 1 / float(np.sqrt(gradient @ gradient)))
        for _ in range(HALVINGS):
            next_value, next_gradient = function(at + size * direction)
            if next_value <= value + SUFFICIENT * size * slope:
                break
            size /= 2
        else:
            break
        step, change = size * direction, next_gradient - gradient
        at, value, gradient = at + step, next_value, next_gradient
        if (bend := float(step @ change)) > 0:
            steps = [*steps, (step, change, bend)][-REMEMBERED:]
    return at


def _direction(gradient: Vector, steps: list[tuple[Vector, Vector, float]]) -> Vector:
    """Minus the gradient times the inverse curvature that the steps show."""
    direction = -gradient
    shares = []
    for step, change, bend in reversed(steps):
        share = float(step @ direction) / bend
        direction = direction - share * change
        shares.append(share)
    if steps:
        _, change, bend = steps[-1]
        direction = direction * (bend / float(change @ change))
    for (step, change, bend), share in zip(steps, reversed(shares), strict=True):
        direction = direction + (share - float(change @ direction) / bend) * step
    return direction
