"""What the helper does at each order, and what it takes for no order at all; without sockets."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from flexiscan.model.facts_raw import SynAnswer
from flexiscan.model.raw_message import (
    Begin,
    Begun,
    Errors,
    Finish,
    Finished,
    NotUnderstood,
    Report,
    SendSyn,
    Sent,
    TellErrors,
    Widen,
    Widened,
    read_order,
    write_message,
)
from flexiscan.net.raw.half_open import HalfOpen
from flexiscan.net.raw.helper import Helper
from flexiscan.net.raw.packet_wall import PacketWall
from flexiscan.net.raw.sniffer import Sniffed
from flexiscan.net.raw.watch import Watch
from flexiscan.net.wall import ScopeWall, open_target
from tests.net.raw.packets import tcp

HERE = "127.0.0.1"
BEGIN = write_message(Begin(deadline_s=60.0))
OPEN = write_message(Widen(wall=ScopeWall(open_target(HERE)).to_json()))
SYN = write_message(SendSyn(id=1, address=HERE, port=9))


class QuietSniffer:
    """Packets by hand."""

    def __init__(self) -> None:
        self.packets: list[Sniffed] = []

    def fileno(self) -> int:
        return -1

    def drain(self) -> list[Sniffed]:
        taken, self.packets = self.packets, []
        return taken

    def lost(self) -> int:
        return 0


class Bench:
    """A helper whose packets go into a list."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("signal.alarm", lambda _: 0)
        self.told: list[Report] = []
        self.sent: list[bytes] = []
        self.sniffer = QuietSniffer()
        wall = PacketWall(ScopeWall())

        def send(packet: bytes) -> None:
            wall.admit(packet)
            self.sent.append(packet)

        self.helper = Helper(
            wall,
            HalfOpen(make_syn, send),
            Watch(),
            self.sniffer,
            self.told.append,
            uid=65534,
            capabilities=(13,),
        )

    def obey(self, orders: bytes) -> list[Report]:
        self.told.clear()
        for line in orders.splitlines():
            self.helper.obey(read_order(line))
        return list(self.told)


def make_syn(
    source: str, source_port: int, address: str, port: int, *, sequence: int, ip_id: int, now_ms: int
) -> bytes:
    assert 0 < ip_id < 65536
    assert now_ms > 0
    return tcp(source, source_port, address, port, flags=2, sequence=sequence)


@pytest.fixture
def bench(monkeypatch: pytest.MonkeyPatch) -> Iterator[Bench]:
    made = Bench(monkeypatch)
    yield made
    made.helper.half_open.close()


def test_orders_in_order(bench: Bench):
    orders = BEGIN + OPEN + SYN + write_message(TellErrors(address=HERE)) + write_message(Finish())
    assert [type(report) for report in bench.obey(orders)] == [Begun, Widened, Sent, Errors, Finished]
    assert bench.helper.has_finished
    assert len(bench.sent) == 1


def test_the_same_order_again_sends_the_same_packet(bench: Bench):
    bench.obey(BEGIN + OPEN + SYN + SYN)
    assert len(bench.sent) == 2
    assert len(set(bench.sent)) == 1


HOSTILE = {
    "not an object": b"[]",
    "a report": write_message(Widened()),
    "no beginning": OPEN,
    "two beginnings": BEGIN + BEGIN,
    "another version": BEGIN.replace(b'"version":1', b'"version":2'),
    "no wall": BEGIN + write_message(Widen(wall="{")),
    "half a wall": BEGIN + write_message(Widen(wall='{"openings": [{}]}')),
    "a wall of something": BEGIN + write_message(Widen(wall="[]")),
    "a port too many": BEGIN + OPEN + b'{"order":"syn","id":1,"address":"127.0.0.1","port":65536}',
    "a name": BEGIN + OPEN + b'{"order":"syn","id":1,"address":"localhost","port":80}',
    "no such order": BEGIN + b'{"order":"run","command":"id"}',
    "deep nesting": b"[" * 100000,
    "a changed probe": BEGIN + OPEN + SYN + write_message(SendSyn(id=1, address=HERE, port=10)),
}


@pytest.mark.parametrize("orders", HOSTILE.values(), ids=HOSTILE)
def test_what_makes_no_sense_is_not_understood(orders: bytes, bench: Bench):
    with pytest.raises(NotUnderstood):
        bench.obey(orders)
    assert len(bench.sent) <= 1


def answers_to(bench: Bench, *packets: bytes) -> list[SynAnswer]:
    bench.sniffer.packets = [Sniffed(packet, at_ns=2**62, is_outgoing=False) for packet in packets]
    return [
        report.answer for report in bench.obey(write_message(TellErrors(address=HERE))) if report.report == "answered"
    ]


def test_only_what_acknowledges_the_syn_answers_it(bench: Bench):
    """Whoever has not seen the SYN cannot forge its answer, and whoever answers does so a few times at most."""
    bench.obey(BEGIN + OPEN + SYN)
    syn = bench.sent[0]
    source_port, sequence = int.from_bytes(syn[20:22], "big"), int.from_bytes(syn[24:28], "big")

    def answer(acknowledges: int, port: int = 9, flags: int = 0x12) -> bytes:
        return tcp(HERE, port, HERE, source_port, flags=flags, acknowledges=acknowledges % 2**32)

    blind = [answer(sequence), answer(sequence + 2), answer(sequence + 1, port=10), answer(sequence + 1, flags=0x04)]
    assert answers_to(bench, *blind) == []
    accepted, reset = answers_to(bench, answer(sequence + 1), answer(sequence + 1, flags=0x14))
    assert (accepted.answer, reset.answer, accepted.hop_limit) == ("accepted", "reset", 61)
    assert len(answers_to(bench, *[answer(sequence + 1)] * 20)) == 6


def test_a_forgotten_syn_is_answered_no_more(bench: Bench):
    bench.obey(BEGIN + OPEN + SYN + b'{"order":"forget","id":1}\n' + b'{"order":"forget","id":7}\n')
    syn = bench.sent[0]
    source_port, sequence = int.from_bytes(syn[20:22], "big"), int.from_bytes(syn[24:28], "big")
    late = tcp(HERE, 9, HERE, source_port, flags=0x12, acknowledges=(sequence + 1) % 2**32)
    assert answers_to(bench, late) == []


def test_no_more_than_some_wait_at_once(bench: Bench):
    bench.obey(BEGIN + OPEN)
    many = b"".join(write_message(SendSyn(id=n, address=HERE, port=9)) for n in range(258))
    refused = [report for report in bench.obey(many) if report.report == "refused"]
    assert [(report.id, report.reason) for report in refused] == [(256, "no-resource"), (257, "no-resource")]
