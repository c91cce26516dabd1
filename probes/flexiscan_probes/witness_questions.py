"""Questions to the witness over UDP: paced, answers matched by their nonce, controls every few seconds.

As with every sweep over media ports, the first inbound media packet ends all sending.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from flexiscan.model.facts_witness import WitnessBeat, WitnessExchange, spans_of
from flexiscan.model.witness_message import (
    WitnessKeys,
    WitnessMessageError,
    build_question,
    read_answer,
    witness_nonce,
)
from flexiscan.sdk import Context, Datagram, DatagramPort
from flexiscan_probes.wire import rtcp

PASS_WAIT_S: Final = 1.5
"""After each pass, for answers under way."""
CONTROL_EVERY_S: Final = 2.0
FIRST_CONTROL: Final = 3000
"""Question number of the first control within a range."""
BEATS_KEPT: Final = 16
_NONCE = slice(16, 32)


class Questions:
    """What was asked over one socket, and what came back."""

    def __init__(
        self,
        ctx: Context,
        link: DatagramPort,
        keys: WitnessKeys,
        *,
        control_port: int | None = None,
        first_control: int = FIRST_CONTROL,
    ) -> None:
        self.answered: set[int] = set()
        self.media_seen = False
        self._ctx = ctx
        self._link = link
        self._keys = keys
        self._control_port = control_port
        self._first_control = first_control
        self._began_s = ctx.monotonic()
        self._sent: dict[bytes, tuple[int, float]] = {}
        self._payloads: dict[int, bytes] = {}
        self._times_asked: dict[int, int] = {}
        self._strange: set[int] = set()
        self._beats: list[WitnessBeat] = []
        self._controls = 0
        self._next_control_s = self._began_s

    async def put(self, ports: Sequence[int], number: int) -> None:
        """One question to each port, as fast as the pace allows, listening after every one."""
        for port in ports:
            await self._control()
            if self.media_seen:
                return
            await self._send(port, number)
            self._times_asked[port] = self._times_asked.get(port, 0) + 1
            while (event := await self._link.next(timeout_s=0.0)) is not None:
                self._note(event)
        await self._control(now=True)
        ends_s = self._ctx.monotonic() + PASS_WAIT_S
        while not self._all_answered(ports) and (left_s := ends_s - self._ctx.monotonic()) > 0:
            event = await self._link.next(timeout_s=left_s)
            if event is not None:
                self._note(event)

    def as_exchange(self, first_port: int, last_port: int, tries: int) -> WitnessExchange:
        """All of it as a fact. Of many answers a few are kept as beats, those of controls all."""
        asked = [port for port, times in self._times_asked.items() if times == tries or port in self.answered]
        return WitnessExchange(
            transport="udp",
            first_port=first_port,
            last_port=last_port,
            asked=spans_of(asked),
            tries=tries,
            answered=spans_of(self.answered - {self._control_port}),
            strange=spans_of(self._strange),
            control_port=self._control_port,
            controls_asked=self._controls,
            beats=tuple(self._beats),
            stopped="media-seen" if self.media_seen else "",
            waited_s=self._ctx.monotonic() - self._began_s,
        )

    def _all_answered(self, ports: Sequence[int]) -> bool:
        return self.media_seen or (self._control_port is None and self.answered.issuperset(ports))

    async def _control(self, *, now: bool = False) -> None:
        if self._control_port is None or self.media_seen:
            return
        if now or self._ctx.monotonic() >= self._next_control_s:
            self._next_control_s = self._ctx.monotonic() + CONTROL_EVERY_S
            await self._send(self._control_port, self._first_control + self._controls)
            self._controls += 1

    async def _send(self, port: int, number: int) -> None:
        nonce = witness_nonce(self._keys, self._ctx.run_id, "udp", self._link.address, port, number)
        question = build_question(self._keys, "udp", port, nonce)
        began_s = self._ctx.monotonic()
        self._sent[nonce] = (port, began_s)
        self._payloads[port] = question
        await self._link.send(question, port=port)

    def _note(self, event: object) -> None:
        """Take in one event. An answer counts by its HMAC, wherever it comes from; an ICMP error is no answer."""
        if not isinstance(event, Datagram):
            return
        nonce = event.data[_NONCE]
        port, sent_s = self._sent.get(nonce, (event.from_port, 0.0))
        try:
            answer = read_answer(self._keys, "udp", nonce, event.data)
        except WitnessMessageError:
            self._note_strange(event)
            return
        if nonce not in self._sent:
            self._strange.add(event.from_port)
            return
        self.answered.add(port)
        if port == self._control_port or len(self._beats) < BEATS_KEPT:
            self._beats.append(
                WitnessBeat(
                    port=port,
                    arrived_at_port=answer.port,
                    sent_after_s=sent_s - self._began_s,
                    answered_after_s=self._ctx.monotonic() - self._began_s,
                    witness_unix_ms=answer.unix_ms,
                )
            )

    def _note_strange(self, event: Datagram) -> None:
        if event.from_port not in self._payloads:
            return
        self._strange.add(event.from_port)
        if rtcp.is_media(event.data) and event.data != self._payloads[event.from_port]:  # an echo is no media
            self.media_seen = True
