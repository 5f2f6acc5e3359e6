"""Random numbers without a generator: a number depends on the request's seed and the token's place, on nothing else.

So it makes no difference to a request whether it was preempted, recomputed, drafted ahead or run in a batch.
"""

from __future__ import annotations

_MASK = (1 << 64) - 1
_STEP = 0x9E3779B97F4A7C15
LARGEST_SEED = (1 << 63) - 1


def _mix(z: int) -> int:
    """The output function of SplitMix64 (Steele, Lea, Flood 2014, "Fast splittable pseudorandom number generators")."""
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9 & _MASK
    z = (z ^ (z >> 27)) * 0x94D049BB133111EB & _MASK
    return z ^ (z >> 31)


def uniform(seed: int, index: int) -> float:
    """The number in [0, 1) that draws output token `index`: SplitMix64's output `index` from a state mixed of the seed.

    A multiple of 2^-53; `native/sample.cpp` gives the same.
    """
    return (_mix(_mix((seed + _STEP) & _MASK) + (index + 1) * _STEP & _MASK) >> 11) * 2.0**-53


def seed_of_choice(seed: int, choice: int) -> int:
    """The seed of one of `n` answers to the same request; the first keeps the request's own."""
    return seed if choice == 0 else _mix(_mix(seed) + choice * _STEP & _MASK) & LARGEST_SEED
