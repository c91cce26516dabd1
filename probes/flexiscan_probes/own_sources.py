"""Fresh sources for a sweep, out of an IPv6 prefix that is routed to the scanner.

Hosts and routers limit their ICMP errors for each address that they answer to; an address that never asked before is
not limited. But silence towards a source that nobody routes back would look like a filter. So before the first
datagram, every few seconds and at the end, a connect from such a source to a port that accepts must succeed, and
ports that have answered before must answer it again.
"""

from __future__ import annotations

import random
from dataclasses import dataclass, field
from ipaddress import IPv6Network
from typing import Final

from flexiscan.model.facts_sources import OwnSourcesUse, SourcesState
from flexiscan.sdk import CannotLook, Context, NotConnected

CONTROL_PAUSE_S: Final = 5.0
"""As long as between two controls of the run."""
_CONTROL_WAIT_S: Final = 2.5
"""Covers the kernel's repetitions of the SYN after 1 and 2 s."""
_CONTROL_TRIES: Final = 2


@dataclass(slots=True)
class OwnSources:
    """The sources of one sweep of one address. In use only between `begin` and `end`, while the controls hold."""

    ctx: Context
    address: str
    prefix: IPv6Network
    control_port: int | None
    """A TCP port of the address that accepts; None: nothing can show that the prefix is routed back."""
    chance: random.Random
    state: SourcesState = "not-needed"
    datagrams: int = 0
    passes: int = 0
    controls_asked: int = 0
    controls_answered: int = 0
    again_asked: int = 0
    again_answered: int = 0
    _taken: int = 0
    _first: int = field(init=False)
    _step: int = field(init=False)
    _beat_s: float = 0.0

    def __post_init__(self) -> None:
        self._first = self.chance.randrange(self.prefix.num_addresses)
        self._step = self.chance.randrange(self.prefix.num_addresses) | 1

    @property
    def in_use(self) -> bool:
        """Whether datagrams leave from the prefix now."""
        return self.state == "used"

    def fresh(self) -> str:
        """The next source: an odd step visits every address of the prefix before it comes back to one."""
        while True:
            number = (self._first + self._taken * self._step) % self.prefix.num_addresses
            self._taken += 1
            if number:  # the first address is for all routers of the link (RFC 4291 2.6.1)
                return str(self.prefix[number])

    async def begin(self) -> None:
        """Take the prefix into use if a control from it is answered; tried once."""
        if self.state == "not-needed":
            self.state = "no-control" if self.control_port is None else await self._answered_or("not-routed-back")

    async def for_datagram(self) -> str | None:
        """The source of the next datagram; None: the machine's own address."""
        if self.in_use and self.ctx.monotonic() - self._beat_s >= CONTROL_PAUSE_S:
            self.state = await self._answered_or("lost")
        if not self.in_use:
            return None
        self.datagrams += 1
        return self.fresh()

    def count_again(self, asked: int, answered: int) -> None:
        """Ports that had answered before were asked again from the prefix."""
        self.again_asked += asked
        self.again_answered += answered
        if asked and 2 * self.again_answered <= self.again_asked:
            self.state = "not-routed-back" if self.again_asked == asked else "lost"

    async def end(self) -> None:
        """The last control. Silence heard before it does not count if it is not answered."""
        if self.in_use:
            self.state = await self._answered_or("lost")
            self._beat_s = -1.0 if self.in_use else self._beat_s

    def as_fact(self) -> OwnSourcesUse:
        """How the prefix was used. Without the last control it counts as lost."""
        return OwnSourcesUse(
            prefix=str(self.prefix),
            state="lost" if self.in_use and self._beat_s >= 0 else self.state,
            datagrams=self.datagrams,
            passes=self.passes,
            controls_asked=self.controls_asked,
            controls_answered=self.controls_answered,
            again_asked=self.again_asked,
            again_answered=self.again_answered,
        )

    async def _answered_or(self, otherwise: SourcesState) -> SourcesState:
        """Connect from fresh sources until one is answered."""
        for _ in range(_CONTROL_TRIES):
            self.controls_asked += 1
            try:
                link = await self.ctx.connect(
                    self.address, self.control_port or 0, timeout_s=_CONTROL_WAIT_S, source=self.fresh()
                )
            except CannotLook:  # this machine does not let it out: no statement about the target
                return "refused-here"
            if not isinstance(link, NotConnected):
                link.close()
                self.controls_answered += 1
                self._beat_s = self.ctx.monotonic()
                return "used"
        return otherwise
