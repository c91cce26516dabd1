"""The doctor on loopback: what it sees of resolvers, of ways out, and to whom it sends nothing."""

from __future__ import annotations

import asyncio
import contextlib
import datetime as dt
import io
import json
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any, cast

import click
import dns.flags
import dns.message
import dns.rcode
import dns.rrset
import pytest
from click.testing import CliRunner

from flexiscan.api import doctor
from flexiscan.api.doctor import Check, Diagnosis, DoctorRequest, diagnose
from flexiscan.api.doctor_dns import check_resolvers
from flexiscan.api.doctor_egress import Fate, read_clock, read_fates
from flexiscan.cli.doctor import as_document
from flexiscan.cli.doctor_text import as_lines
from flexiscan.cli.main import cli
from flexiscan.cli.witness_code import read_witness_code
from flexiscan.errors import ScopeRefused, UsageError
from flexiscan.model.endpoint import Transport
from flexiscan.policy.vantage import gets_out, read_vantage
from tests.witness.test_program import CODE, running

HOST = "127.22.0.1"
"""Of its own: other tests run witnesses at the same time."""

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
    steps: list[str] = []
    with running(tmp_path / "log", "--media-ports", "10001", host=HOST):
        found = await diagnose(DoctorRequest(control_hosts=(HOST,), witness_code=CODE), step=steps.append)
    ways = {check.name: (check.state, check.seen) for check in found.checks if check.name.startswith("ways")}
    assert ways["ways out, IPv4 UDP"] == ("ok", f"all 25 ports that were tried reach {HOST}")
    assert ways["ways out, IPv4 TCP"][0] == "ok"
    assert ways["ways out, IPv6"][0] == "limited", "no control host was named for it"
    vantage = read_vantage(json.loads(as_document(found)))
    assert vantage["blind"] == []
    now_s = found.made.timestamp()
    assert gets_out(vantage, "ipv4", "udp", 45_000, now_s)
    assert gets_out(vantage, "ipv4", "tcp", 445, now_s)
    assert not gets_out(vantage, "ipv6", "tcp", 445, now_s)
    assert [check.state for check in found.checks if check.name == "clock"] == ["ok", "ok"]
    assert CODE not in as_document(found) + as_lines(found)
    assert steps == ["asking no resolver", f"trying the guide's ports towards {HOST}"]


def fates(transport: Transport, found: dict[int, Fate], *, by_witness: bool = True) -> tuple[str, str, list[Any]]:
    line, blind = read_fates("192.0.2.7", transport, found, by_witness=by_witness)
    return line[1], line[2], blind


def test_a_transport_with_lost_ports_is_blind_for_them():
    state, _, blind = fates("udp", {51515: "witness", 69: "lost", 161: "witness", 5060: "unsent"})
    assert state == "failed"
    assert blind == [("ipv4", "udp", 69, 69), ("ipv4", "udp", 5060, 5060)]


def test_a_refusal_where_a_witness_would_have_answered_is_no_way_out():
    """Who stops packets here may refuse in the name of the host."""
    state, _, blind = fates("tcp", {51515: "witness", 5060: "host"})
    assert (state, blind) == ("failed", [("ipv4", "tcp", 5060, 5060)])


def test_without_a_witness_refusals_are_a_sign_and_no_proof():
    state, seen, blind = fates("tcp", {51515: "host", 5060: "host"}, by_witness=False)
    assert (state, blind) == ("limited", [])
    assert "in the name of" in seen
    state, _, blind = fates("tcp", {51515: "host", 5060: "lost"}, by_witness=False)
    assert (state, blind) == ("failed", [("ipv4", "tcp", 5060, 5060)])


def test_a_range_of_which_nothing_gets_out_is_blind_as_a_whole():
    found: dict[int, Fate] = dict.fromkeys(range(40000, 50001, 666), "lost")
    _, blind = read_fates("2001:db8::7", "udp", {51515: "witness", **found}, by_witness=True)
    assert blind == [("ipv6", "udp", 40000, 50000)]
    found[40000] = "witness"
    _, blind = read_fates("2001:db8::7", "udp", {51515: "witness", **found}, by_witness=True)
    assert len(blind) == len(found) - 1


def test_a_control_host_that_never_answers_shows_nothing():
    state, _, blind = fates("tcp", {51515: "lost", 5060: "lost"})
    assert (state, blind) == ("failed", [])


def test_somebody_else_who_answers_is_named():
    state, seen, blind = fates("tcp", {51515: "witness", 5060: "other"})
    assert (state, blind) == ("limited", [])
    assert "5060" in seen


@pytest.mark.parametrize(
    ("ahead_s", "state"), [((), None), ((0.2, 0.3, 900.0), "ok"), ((61.0, 61.0), "failed"), ((-3600.0,), "failed")]
)
def test_the_clock_is_held_against_the_one_of_the_witness(ahead_s: tuple[float, ...], state: str | None):
    assert [line[1] for line in read_clock(HOST, ahead_s)] == ([] if state is None else [state])


async def test_nobody_is_asked_without_permission(monkeypatch: pytest.MonkeyPatch):
    async def never(*_: object) -> None:
        raise AssertionError("something was sent")

    monkeypatch.setattr(doctor, "check_egress", never)
    monkeypatch.setattr(doctor, "check_resolvers", never)
    with pytest.raises(ScopeRefused):
        await diagnose(DoctorRequest(("127.0.0.1#53",), control_hosts=(HOST, "192.0.2.7")))
    with pytest.raises(UsageError):
        await diagnose(DoctorRequest(control_hosts=("control.example.test",), authorised_by="me"))


async def test_without_a_control_host_the_ways_out_are_not_known():
    found = await diagnose(DoctorRequest())
    assert next(check.state for check in found.checks if check.name == "ways out, IPv4 and IPv6") == "limited"
    assert found.exit_code == 3, "no resolver"
    assert as_lines(found).count("next: ") >= 2


CHECKS = (
    Check("IPv4", "ok", "packets would leave from 192.0.2.5"),
    Check("ways out, IPv6 UDP", "failed", "no way out on 69, 5060", "with --vantage " * 8, "scan from elsewhere"),
)


@pytest.mark.parametrize("width", [40, 60, 100])
def test_the_text_keeps_within_the_terminal(width: int):
    lines = as_lines(Diagnosis(NOW, CHECKS), width).splitlines()
    assert max(map(len, lines)) <= max(width, 41)
    assert lines[-1 if width > 60 else -2].startswith("1 in order, 0 limited, 1 failed")


def test_colours_change_no_word():
    found = Diagnosis(NOW, CHECKS)
    assert click.unstyle(as_lines(found, 80, colored=True)) == as_lines(found, 80)
    assert "\x1b" not in as_lines(found, 80)


def test_the_code_is_asked_for_or_read_from_a_file_and_never_needs_to_stand_in_the_process_list(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    file = tmp_path / "code"
    file.write_text(f"{CODE}\n")
    assert read_witness_code(f"@{file}") == CODE
    monkeypatch.setattr("sys.stdin", io.StringIO(f"{CODE}\n"))
    assert read_witness_code("-") == CODE
    with pytest.raises(UsageError, match="no code on standard input"):
        read_witness_code("-")
    with pytest.raises(UsageError, match="cannot read a code"):
        read_witness_code(f"@{tmp_path}")
    assert (read_witness_code(None), read_witness_code(""), read_witness_code(CODE)) == (None, None, CODE)


def test_the_doctor_of_the_command_line_is_refused_without_permission():
    done = CliRunner().invoke(cli, ["doctor", "--control-host", "192.0.2.7", "--resolver", "127.0.0.1#1"])
    assert isinstance(done.exception, ScopeRefused)
    assert done.exception.exit_code == 4
    assert done.output == ""
