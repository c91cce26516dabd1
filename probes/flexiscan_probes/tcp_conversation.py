"""One question over an accepted TCP connection: listen, ask, listen, and the fact about it."""

from __future__ import annotations

from typing import Final, Literal

from flexiscan.model.facts import MAX_DATA_HEX_BYTES, TcpExchange
from flexiscan.sdk import Connection, Context, Received
from flexiscan_probes.tcp_dialogue import ANSWER_WAIT_S, Dialogue

MAX_READ_BYTES: Final = 16384
"""Enough for a page's title and for every handshake; an endless answer ends here."""


async def converse(ctx: Context, link: Connection, dialogue: Dialogue) -> TcpExchange:
    """Go through the dialogue and note what came back; the connection stays open for the caller to close."""
    began_s = ctx.monotonic()
    request = b""
    heard = Received("timeout")
    if dialogue.listen_first_s:
        heard = await _listen(ctx, link, dialogue, dialogue.listen_first_s)
    if heard.ending == "timeout" and not heard.data:
        request = dialogue.request
        ending = await link.send(request, timeout_s=ANSWER_WAIT_S)
        heard = await _listen(ctx, link, dialogue, ANSWER_WAIT_S)
        if ending and not heard.data:
            heard = Received(ending)
    return TcpExchange(
        connect="accepted",
        attempts=link.attempts,
        waited_s=ctx.monotonic() - began_s,
        request_hex=request[:MAX_DATA_HEX_BYTES].hex(),
        reply="data" if heard.data else _without_data(heard),
        data_hex=heard.data[:MAX_DATA_HEX_BYTES].hex(),
        data_size=len(heard.data),
        service=dialogue.service_of(heard.data) if heard.data else None,
    )


def _without_data(heard: Received) -> Literal["closed", "reset", "silence"]:
    match heard.ending:
        case "closed" | "reset":
            return heard.ending
        case _:
            return "silence"


async def _listen(ctx: Context, link: Connection, dialogue: Dialogue, wait_s: float) -> Received:
    """Everything that comes until it is enough, the stream ends, the limit is reached or the time is over."""
    data = b""
    ends_s = ctx.monotonic() + wait_s
    while len(data) < MAX_READ_BYTES:
        left_s = ends_s - ctx.monotonic()
        if left_s <= 0:
            return Received("timeout", data)
        received = await link.receive(max_bytes=MAX_READ_BYTES - len(data), timeout_s=left_s)
        data += received.data
        if received.ending:
            return Received(received.ending, data)
        if dialogue.is_enough(data):
            break
    return Received("", data)
