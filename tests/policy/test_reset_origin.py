"""Whose reset is it? Read from the hop limits of resets and of the server's own answers."""

from __future__ import annotations

import pytest

from flexiscan.model.facts import PathHop, TcpPath
from flexiscan.model.facts_sweep import TcpReply
from flexiscan.model.plan import Task
from flexiscan.policy.ports.reading import PortReading
from flexiscan.policy.ports.reset_origin import with_origin
from flexiscan.policy.rule import Seen

TASK = Task(id="x", probe="tcp", host="h", role="tcp", address="192.0.2.10", transport="tcp", port=5060, lane="x")
RESET = PortReading("closed-unfiltered", (Seen(TASK, TcpReply(port=5060), 0.0, 1.0),), "confirmed")


def shown(reset: int | None, server: int | None, *, port: int = 5060, reading: PortReading = RESET) -> tuple[str, str]:
    reply = Seen(TASK, TcpReply(port=port, hop_limit=reset), 2.0, 3.0)
    way = TcpPath(port=443, hops=(PathHop(hop_limit=3, answer="accepted"),), reply_hop_limit=server)
    path = Seen(TASK, way, 0.0, 1.0)
    found = with_origin(reading, 5060, (reply,), (path,))
    assert all(seen in found.because for seen in reading.because)
    return found.result, found.confidence


@pytest.mark.parametrize(
    ("reset", "server", "expected"),
    [
        (62, 62, ("closed-unfiltered", "confirmed")),  # the server itself
        (63, 62, ("filtered", "firm")),  # a device one hop nearer
        (64, 126, ("filtered", "firm")),  # a Linux firewall in front of a Windows server
        (62, 126, ("closed-unfiltered", "confirmed")),  # the same distance, another start value
        (253, 62, ("closed-unfiltered", "confirmed")),
        (255, 62, ("filtered", "firm")),
        (60, 62, ("closed-unfiltered", "firm")),  # beyond the server: nothing in front kept the packet out
        (None, 62, ("closed-unfiltered", "firm")),
        (62, None, ("closed-unfiltered", "firm")),
    ],
)
def test_the_sender_is_told_from_the_distance(reset: int | None, server: int | None, expected: tuple[str, str]):
    assert shown(reset, server) == expected


def test_the_reply_of_another_port_says_nothing():
    assert shown(63, 62, port=5061) == ("closed-unfiltered", "firm")


@pytest.mark.parametrize("result", ["filtered", "open", "everything-answers"])
def test_only_resets_are_read_anew(result: str):
    assert shown(63, 62, reading=PortReading(result, RESET.because)) == (result, "firm")
    icmp = PortReading("closed-unfiltered", RESET.because, "confirmed", {"icmp": "port-unreachable"})
    assert shown(63, 62, reading=icmp) == ("closed-unfiltered", "confirmed")
