"""Ports that nothing is known to use: what they do is the comparison for every port that is asked."""

from __future__ import annotations

import random
from typing import Final

from flexiscan.sdk import PlanView
from flexiscan_probes.tcp_rows import web_ports

CANARY_RANGE: Final = range(20000, 39950)
"""Below the dynamic ports of Windows and IANA (49152) and of Linux (32768 is inside, but only for clients),
above nearly all registered services, and clear of the default media range."""


def pick_canary_ports(view: PlanView, address: str, count: int, purpose: str) -> tuple[int, ...]:
    """`count` ports of CANARY_RANGE that no row of the profile names; the same for the same seed and purpose."""
    taken = set(web_ports(view.target)) | set(view.target.mitai_ports)
    taken.update(view.options.get("excluded_ports", ()))
    for row in view.profile.ports:
        taken.update(range(row.port, (row.last_port or row.port) + 1))
    free = [port for port in CANARY_RANGE if port not in taken]
    return tuple(random.Random(f"{view.seed}:{purpose}:{address}").sample(free, count))
