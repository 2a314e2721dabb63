"""Random numbers as functions of a seed and of what they are for, not of what was drawn before.

A run that draws this way has no random state to save: step 1000 draws the same numbers after a resume, on another
machine, and with another number of processes. The mixing is that of splitmix64 (Steele, Lea, Flood 2014); NumPy's own
generators may change their streams between versions.
"""

import math
from itertools import count as counting

import numpy as np
from jaxtyping import Float64, Int64, UInt64

GOLDEN, FIRST, SECOND = 0x9E3779B97F4A7C15, 0xBF58476D1CE4E5B9, 0x94D049BB133111EB
"""The step of splitmix64 and its two multipliers."""


def mixed(key: UInt64[np.ndarray, "*axes"]) -> UInt64[np.ndarray, "*axes"]:
    """The golden-ratio step of splitmix64 and its finalizer: every bit of a key affects every bit of the result."""
    with np.errstate(over="ignore"):
        key = (key + np.uint64(1)) * np.uint64(GOLDEN)
        key = (key ^ (key >> np.uint64(30))) * np.uint64(FIRST)
        key = (key ^ (key >> np.uint64(27))) * np.uint64(SECOND)
        return np.asarray(key ^ (key >> np.uint64(31)))  # without axes NumPy makes it a scalar


def keys(seed: int, *where: int | np.integer | np.ndarray) -> UInt64[np.ndarray, "..."]:
    """A seed per place (epoch, step, position ...): each is a whole number or an array; arrays are broadcast."""
    # mixed first: seed 1 at step 2 is not seed 2 at step 1
    key = mixed(np.full((), seed % 2**64, np.uint64))
    for axis in where:
        with np.errstate(over="ignore"):
            # 64 bits first, so that a negative number keeps its bits
            key = mixed(np.asarray(key + np.asarray(axis).astype(np.int64).astype(np.uint64)))
    return np.asarray(key)


def uniform(key: UInt64[np.ndarray, "*axes"]) -> Float64[np.ndarray, "*axes"]:
    """Numbers from 0 to below 1: the upper 53 bits of each key."""
    return np.asarray((key >> np.uint64(11)).astype(np.float64) * 2.0**-53)


def beta(shape: float | int, seed: int, *where: int | np.integer) -> float:
    """A number from Beta(shape, shape), shape above 0, that depends only on the seed and the place.

    It is a / (a + b) of two numbers from Gamma(shape), whose logarithms are kept, as numbers of a small shape may be
    smaller than any float.
    """
    one, other = (_log_gamma(shape, seed, *where, number) for number in range(2))
    return 0.5 * (1 + math.tanh((one - other) / 2))


def _log_gamma(shape: float | int, seed: int, *where: int | np.integer) -> float:
    """The logarithm of a number from Gamma(shape), by the squeeze of Marsaglia and Tsang (ACM TOMS 26, 2000), with a
    number of its own for each try; a shape below 1 through shape + 1."""
    d = (shape if shape >= 1 else shape + 1) - 1 / 3
    for tried in counting():
        # from above 0 to 1, as their logarithms are taken
        first, second, accepted, power = 1 - uniform(keys(seed, *where, tried, np.arange(4)))
        normal = math.sqrt(-2 * math.log(first)) * math.cos(2 * math.pi * second)
        cube = (1 + normal / math.sqrt(9 * d)) ** 3
        if cube > 0 and math.log(accepted) < normal**2 / 2 + d * (1 - cube + math.log(cube)):
            break
    log = math.log(d) + math.log(cube)
    return log if shape >= 1 else log + math.log(power) / shape


def permutation(seed: int, *where: int, count: int) -> Int64[np.ndarray, " count"]:
    """The numbers 0 to count - 1 in an order that depends only on the seed and the place."""
    return np.asarray(np.argsort(keys(seed, *where, np.arange(count)), kind="stable").astype(np.int64))
