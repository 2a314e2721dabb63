"""Random numbers as functions of a seed and of what they are for, not of what was drawn before.

A run that draws this way has no random state to save: step 1000 draws the same numbers after a resume, on another
machine, and with another number of processes. The mixing is that of splitmix64 (Steele, Lea, Flood 2014); NumPy's own
generators may change their streams between versions.
"""

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


def permutation(seed: int, *where: int, count: int) -> Int64[np.ndarray, " count"]:
    """The numbers 0 to count - 1 in an order that depends only on the seed and the place."""
    return np.asarray(np.argsort(keys(seed, *where, np.arange(count)), kind="stable").astype(np.int64))
