"""The doctor on loopback: what it sees of resolvers, of ways out, and to whom it sends nothing."""

from __future__ import annotations

import asyncio
import contextlib
import datetime as dt
import json
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import cast

import dns.flags
import dns.message
import dns.rcode
import dns.rrset
import pytest

from flexiscan.api import doctor
from flexiscan.api.doctor import DoctorRequest, diagnose
from flexiscan.api.doctor_dns import check_resolvers
from flexiscan.api.doctor_egress import _read
from flexiscan.cli.doctor import as_document, as_lines
from flexiscan.errors import ScopeRefused, UsageError
from flexiscan.policy.vantage import read_vantage
from tests.witness.test_program import CODE, HOST, running

NOW = dt.datetime(2026, 11, 2, 9, 0, tzinfo=dt.UTC)
SOA = ". 86400 IN SOA a.root.example. nstld.example. 2026110200 1800 900 604800 86400"
SIGNATURE = ". 86400 IN RRSIG SOA 8 0 86400 20261115050000 20261101040000 20326 . aGVsbG8="


class Names(asyncio.DatagramProtocol):
    """A resolver that answers by a function."""

    def __init__(self, answer: Callable[[str, dns.message.Message], None]) -> None:
        self._answer = answer
        self.asked: list[str] = []

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.DatagramTransport, transport)

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        query = dns.message.from_wire(data)
        reply = dns.message.make_response(query, recursion_available=True)
        name = query.question[0].to_text()
        self.asked.append(name)
        self._answer(name, reply)
        self._transport.sendto(reply.to_wire(), addr)


@contextlib.asynccontextmanager
async def resolver(answer: Callable[[str, dns.message.Message], None]) -> AsyncIterator[str]:
    loop = asyncio.get_running_loop()
    transport, _ = await loop.create_datagram_endpoint(lambda: Names(answer), local_addr=(HOST, 0))
    try:
        yield f"{HOST}#{transport.get_extra_info('sockname')[1]}"
    finally:
        transport.close()


def add(reply: dns.message.Message, *texts: str) -> None:
    for text in texts:
        name, ttl, _, kind, data = text.split(" ", 4)
        reply.answer.append(dns.rrset.from_text(name, int(ttl), "IN", kind, data))


def sound(name: str, reply: dns.message.Message) -> None:
    """What an honest resolver says."""
    if name.startswith(". IN SOA"):
        add(reply, SOA, SIGNATURE)
        reply.flags |= dns.flags.AD
    elif ".invalid." in name:
        reply.set_rcode(dns.rcode.NXDOMAIN)


async def states(answer: Callable[[str, dns.message.Message], None], now: dt.datetime = NOW) -> dict[str, str]:
    async with resolver(answer) as server:
        told = await check_resolvers((server,), now)
    return {name.partition(" ")[0] if name.startswith("resolver") else name: state for name, state, *_ in told}


async def test_an_honest_resolver():
    assert await states(sound) == {"resolver": "ok", "clock": "ok", "DNS interception": "ok", "NAT64": "ok"}


async def test_a_resolver_that_makes_names_up():
    def liar(name: str, reply: dns.message.Message) -> None:
        sound(name, reply)
        if ".invalid." in name:
            reply.set_rcode(dns.rcode.NOERROR)
            add(reply, f"{name.split(' ')[0]} 60 IN A 192.0.2.99")

    assert (await states(liar))["DNS interception"] == "failed"


async def test_dns64_is_noticed():
    def translating(name: str, reply: dns.message.Message) -> None:
        sound(name, reply)
        if name.startswith("ipv4only.arpa."):
            add(reply, "ipv4only.arpa. 60 IN AAAA 64:ff9b::c000:aa")

    assert (await states(translating))["NAT64"] == "failed"


@pytest.mark.parametrize("now", [dt.datetime(2026, 10, 1, tzinfo=dt.UTC), dt.datetime(2027, 1, 1, tzinfo=dt.UTC)])
async def test_a_clock_outside_the_roots_signature_is_wrong(now: dt.datetime):
    assert (await states(sound, now))["clock"] == "failed"


async def test_a_resolver_that_refuses_and_none_at_all():
    def refusing(_: str, reply: dns.message.Message) -> None:
        reply.set_rcode(dns.rcode.REFUSED)

    assert await states(refusing) == {"resolver": "failed"}
    assert [state for _, state, *_ in await check_resolvers((), NOW)] == ["failed"]


async def test_ways_out_are_proven_by_a_witness(tmp_path: Path):
    with running(tmp_path / "log", "--media-ports", "10001"):
        found = await diagnose(DoctorRequest(control_host=HOST, witness_code=CODE))
    ways = {check.name: (check.state, check.seen) for check in found.checks if check.name.startswith("ways")}
    assert ways["ways out, UDP"] == ("ok", f"all 25 ports that were tried reach {HOST}")
    assert ways["ways out, TCP"][0] == "ok"
    assert found.blind == ()
    assert read_vantage(json.loads(as_document(found)))["blind"] == []
    assert CODE not in as_document(found) + as_lines(found)


def test_a_transport_with_lost_ports_is_blind_for_them():
    line, blind = _read("192.0.2.7", "udp", {51515: "witness", 69: "lost", 161: "witness", 5060: "unsent"})
    assert line[1] == "failed"
    assert blind == [("ipv4", "udp", 69, 69), ("ipv4", "udp", 5060, 5060)]


def test_a_range_of_which_nothing_gets_out_is_blind_as_a_whole():
    fates = dict.fromkeys(range(40000, 50001, 666), "lost")
    _, blind = _read("2001:db8::7", "udp", {51515: "witness", **fates})  # type: ignore[dict-item]
    assert blind == [("ipv6", "udp", 40000, 50000)]
    fates[40000] = "witness"
    _, blind = _read("2001:db8::7", "udp", {51515: "witness", **fates})  # type: ignore[dict-item]
    assert len(blind) == len(fates) - 1


def test_a_control_host_that_never_answers_shows_nothing():
    line, blind = _read("192.0.2.7", "tcp", {51515: "lost", 5060: "lost"})
    assert (line[1], blind) == ("failed", [])


def test_somebody_else_who_answers_is_named():
    line, blind = _read("192.0.2.7", "tcp", {51515: "witness", 5060: "other"})
    assert (line[1], blind) == ("limited", [])
    assert "5060" in line[2]


async def test_nobody_is_asked_without_permission(monkeypatch: pytest.MonkeyPatch):
    async def never(*_: object) -> None:
        raise AssertionError("something was sent")

    monkeypatch.setattr(doctor, "check_egress", never)
    monkeypatch.setattr(doctor, "check_resolvers", never)
    with pytest.raises(ScopeRefused):
        await diagnose(DoctorRequest(control_host="192.0.2.7"))
    with pytest.raises(UsageError):
        await diagnose(DoctorRequest(control_host="control.example.test", authorised_by="me"))


async def test_without_a_control_host_the_ways_out_are_not_known():
    found = await diagnose(DoctorRequest())
    assert next(check.state for check in found.checks if check.name == "ways out") == "limited"
    assert found.exit_code == 3, "no resolver"
    assert as_lines(found).count("next: ") >= 2
