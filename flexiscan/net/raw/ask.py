"""One half-open question: SYNs at the pace, until somebody answers or nobody has."""

from __future__ import annotations

import asyncio
from typing import Final

from flexiscan.model.facts_raw import SynAnswer, SynProbe
from flexiscan.net.clock import Clock
from flexiscan.net.obstacle import obstacle_of, own_refusal
from flexiscan.net.pace import Pace
from flexiscan.net.raw.link import RawLink
from flexiscan.net.reach import source_address
from flexiscan.net.wall import ScopeViolation, ScopeWall

TRIES: Final = 5
GAP_S: Final = 1.0
"""As the kernel repeats its SYNs (tcp_syn_linear_timeouts, Linux 6.5), so that both ways of asking lose as seldom."""
SETTLE_S: Final = 0.3
"""After the first answer: a forged reset and the answer of the server itself come close together."""


async def ask_half_open(
    link: RawLink, address: str, port: int, *, pace: Pace, wall: ScopeWall, clock: Clock
) -> SynProbe:
    """SYNs to one port until the first answer and a moment longer. Raises CannotLook.

    Each SYN waits for a permit of the pace, and so does the reset by which the kernel ends what was accepted.
    """
    number, answers, heard = link.number(), list[SynAnswer](), asyncio.Event()

    def hear(answer: SynAnswer) -> None:
        answers.append(answer)
        heard.set()

    tries, began_s = 0, clock.monotonic()
    with link.answers(number, hear):
        while tries < TRIES and not heard.is_set():
            async with pace.syn(address):
                try:
                    wall.check(address, port, "tcp")
                except ScopeViolation as violation:
                    raise obstacle_of(violation, address) from violation
                await link.send_syn(number, address, port)
            began_s = began_s if tries else clock.monotonic()
            tries += 1
            await _wait(heard, GAP_S)
        if heard.is_set():
            await clock.sleep(SETTLE_S)
    _refuse_own(answers, address)
    if any(answer.answer == "accepted" for answer in answers):
        (await pace.datagram(address)).spend()
    return SynProbe(answers=tuple(answers), tries=tries, waited_s=round(clock.monotonic() - began_s, 3))


async def _wait(heard: asyncio.Event, timeout_s: float) -> None:
    try:
        async with asyncio.timeout(timeout_s):
            await heard.wait()
    except TimeoutError:
        return


def _refuse_own(answers: list[SynAnswer], address: str) -> None:
    """Raise CannotLook when this machine's own packet filter answered."""
    for answer in answers:
        if answer.icmp is not None:
            obstacle = own_refusal(answer.icmp, address, (source_address(address),))
            if obstacle is not None:
                raise obstacle
