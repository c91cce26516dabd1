"""What a sample without a hit says about the whole. Pure arithmetic."""

from __future__ import annotations

from typing import Final

CONFIDENCE: Final = 0.95


def exposed_bound(population: int, asked: int, confidence: float = CONFIDENCE) -> int:
    """Most members of a population that may be exposed when none of `asked` random ones was.

    The largest K for which a sample without a hit is still likelier than 1 - `confidence` (hypergeometric:
    C(N-K, m) / C(N, m)). 0 when all were asked; the whole population when none was.
    """
    if not 0 <= asked <= population:
        raise ValueError(f"{asked} of {population} cannot have been asked")
    missed = 1.0
    for exposed in range(population):
        missed *= max(0, population - asked - exposed) / (population - exposed)
        if missed < 1.0 - confidence:
            return exposed
    return population
