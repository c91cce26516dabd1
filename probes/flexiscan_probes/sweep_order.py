"""Which ports of a range are sampled, in which order, and which ports outside it are compared. Pure."""

from __future__ import annotations

import random
from collections.abc import Collection
from typing import Final

LAST_PORT: Final = 65535
_BELOW: Final = range(20000, LAST_PORT + 1)
_CANARIES_PER_SIDE: Final = 3


def sample_ports(
    first: int, last: int, count: int, excluded: Collection[int], chance: random.Random
) -> tuple[int, ...]:
    """At most `count` ports of first..last: two at each edge first, where ranges are mistyped, then by chance."""
    allowed = [port for port in range(first, last + 1) if port not in excluded]
    edges = [port for port in dict.fromkeys((first, first + 1, last - 1, last)) if port in allowed][:count]
    inner = [port for port in allowed if port not in edges]
    return tuple(edges + chance.sample(inner, min(count - len(edges), len(inner))))


def comparison_ports(first: int, last: int, taken: Collection[int], chance: random.Random) -> tuple[int, ...]:
    """The two neighbours of a range and some free ports on either side of it."""
    neighbours = [port for port in (first - 1, last + 1) if 0 < port <= LAST_PORT and port not in taken]
    return (*neighbours, *far_ports(first, last, _CANARIES_PER_SIDE, taken, chance))


def far_ports(first: int, last: int, per_side: int, taken: Collection[int], chance: random.Random) -> tuple[int, ...]:
    """Free ports on either side of a range, none of them next to it: a range may be mistyped by one."""
    below = [port for port in _BELOW if port < first - 1 and port not in taken]
    above = [port for port in range(last + 2, LAST_PORT) if port not in taken]
    chosen: list[int] = []
    for side in (below, above):
        chosen += chance.sample(side, min(per_side, len(side)))
    return tuple(chosen)
