"""The probe: what it plans, and what it makes of answers, echoes, forgeries and media."""

from __future__ import annotations

from collections.abc import Iterable

import pytest

from flexiscan import witness as server
from flexiscan.model import witness_message as wire
from flexiscan.model.endpoint import TargetAddress, Transport, family_of
from flexiscan.model.facts_witness import WitnessExchange, ports_of
from flexiscan.model.plan import Task
from flexiscan.model.target import Depth, Target
from flexiscan.net.link import NotConnected, Received
from flexiscan.policy.profile import load_profile
from flexiscan.sdk import CannotLook, PlanView
from flexiscan_probes import witness as probe
from tests.probes.twin import Answer, Network, TwinConnection, TwinContext, VirtualClock, datagram, port_unreachable

CODE = "a1b2-c3d4-e5f6-0718"
KEYS = wire.witness_keys(CODE)
SERVER_KEYS = server.derive_keys(CODE)
V4, V6 = "192.0.2.10", "2001:db8:2::10"


def view(round_number: int, *, depth: Depth = "standard", control_port: int | None = 51515) -> PlanView:
    return PlanView(
        round=round_number,
        target=Target(host="flexi.example.test"),
        addresses=tuple(TargetAddress(address=a, family=family_of(a)) for a in (V4, V6)),
        profile=load_profile(),
        depth=depth,
        seed=7,
        tasks={},
        seen={},
        options={"witness_control_port": control_port, "udp_pps": 200},
    )


def task(role: str, transport: Transport, port: int | None, **params: object) -> Task:
    return Task(
        id=role,
        probe="witness.ask",
        host="flexi.example.test",
        role=role,
        address=V4,
        transport=transport,
        port=port,
        params=params,
        lane=role,
    )


RANGE = {"first_port": 40000, "last_port": 40009, "count": 10, "control_port": 51515, "excluded": [], "seed": 3}


def context(network: Network = lambda *_: (), link: TwinConnection | NotConnected | None = None) -> TwinContext:
    made = TwinContext(network=network, link=link)
    made.secrets = {"witness": KEYS.as_text()}
    return made


def answering(ports: Iterable[int], keys: dict[str, bytes] = SERVER_KEYS) -> Network:
    """A network behind which a witness answers on these ports."""
    wanted = set(ports)

    def network(payload: bytes, port: int, at_s: float) -> list[Answer]:
        nonce = server.read_question(SERVER_KEYS["question"], "udp", payload)
        assert nonce is not None, "nothing but questions may be sent"
        if port not in wanted:
            return []
        data = server.build_answer(keys["answer"], "udp", port, round(at_s * 1000) + 5000, nonce)
        return [(0.05, datagram(V4, port, data))]

    return network


async def swept(network: Network) -> tuple[WitnessExchange, TwinContext]:
    ctx = context(network)
    return await probe.observe(ctx, task("witness-range", "udp", None, **RANGE)), ctx


def test_nothing_is_planned_without_a_code():
    assert not [draft for number in range(4) for draft in probe.plan(view(number, control_port=None))]


def test_controls_stand_before_and_after_everything_else():
    for number in (1, 3):
        drafts = list(probe.plan(view(number)))
        assert {(d.role, d.transport, d.port, d.address) for d in drafts} == {
            ("witness-control", transport, 51515, address) for transport in ("tcp", "udp") for address in (V4, V6)
        }
    numbers = [next(iter(probe.plan(view(n)))).params["first_number"] for n in (1, 3)]
    assert numbers == [probe.BEFORE, probe.AFTER]


def test_every_port_of_the_guide_is_asked_and_no_web_port():
    drafts = [draft for draft in probe.plan(view(2)) if draft.address == V4]
    rows = {(row.transport, row.port) for row in load_profile().ports if row.last_port is None}
    assert {(d.transport, d.port) for d in drafts if d.role == "witness"} == rows
    assert [d.params["count"] for d in drafts if d.role == "witness-range"] == [10_001]
    quick = [d for d in probe.plan(view(2, depth="quick")) if d.role == "witness-range"]
    assert {d.params["count"] for d in quick} == {500}


def test_no_task_holds_the_code_or_a_key():
    for number in (1, 2, 3):
        for draft in probe.plan(view(number)):
            assert all(part not in str(draft) for part in (CODE, *KEYS.as_text().split()))


async def test_a_swept_range_with_a_witness_behind_it():
    fact, ctx = await swept(answering([40001, 40004, 51515]))
    assert ports_of(fact.answered) == {40001, 40004}
    assert ports_of(fact.asked) == set(range(40000, 40010))
    assert fact.controls_asked == len([b for b in fact.beats if b.port == 51515]) > 1
    assert {len(payload) for _, _, payload in ctx.ports[0].sent} == {wire.QUESTION_BYTES}


async def test_silence_and_icmp_are_no_answers():
    def network(payload: bytes, port: int, at_s: float) -> list[Answer]:
        return [(0.01, port_unreachable(V4, port, quoted=payload[:8]))] if port % 2 else []

    fact, _ = await swept(network)
    assert (fact.answered, fact.strange, fact.beats) == ((), (), ())
    assert ports_of(fact.asked) == set(range(40000, 40010))


async def test_a_forged_witness_and_an_echo_are_strange():
    forged = server.derive_keys("ffff-eeee-dddd-cccc")

    def network(payload: bytes, port: int, at_s: float) -> list[Answer]:
        if port == 40003:
            return [(0.01, datagram(V4, port, payload))]
        return list(answering([40005], forged)(payload, port, at_s))

    fact, _ = await swept(network)
    assert (fact.answered, ports_of(fact.strange), fact.stopped) == ((), {40003, 40005}, "")


async def test_an_old_answer_sent_again_does_not_count():
    old = server.build_answer(SERVER_KEYS["answer"], "udp", 40002, 1, bytes(16))

    def network(payload: bytes, port: int, at_s: float) -> list[Answer]:
        return [(0.01, datagram(V4, port, old))] if port == 40002 else []

    fact, _ = await swept(network)
    assert (fact.answered, ports_of(fact.strange)) == ((), {40002})


async def test_media_ends_all_sending_at_once():
    def network(payload: bytes, port: int, at_s: float) -> list[Answer]:
        return [(0.0, datagram(V4, port, b"\x80\x00" + bytes(170)))] if port != 51515 else []

    fact, ctx = await swept(network)
    assert fact.stopped == "media-seen"
    assert len([port for port in ctx.ports[0].ports_asked() if port != 51515]) == 1


async def test_a_single_udp_port_is_asked_three_times_when_silent():
    ctx = context()
    fact = await probe.observe(ctx, task("witness", "udp", 69, first_number=0))
    assert (fact.asked, fact.tries, fact.answered) == (((69, 69),), 3, ())
    assert len({payload for _, _, payload in ctx.ports[0].sent}) == 3
    answered = await probe.observe(context(answering([69])), task("witness", "udp", 69, first_number=0))
    assert (answered.answered, answered.asked) == (((69, 69),), ((69, 69),))


def tcp_witness(keys: dict[str, bytes]) -> TwinConnection:
    def talk(heard: bytes) -> list[tuple[float, Received]]:
        nonce = server.read_question(SERVER_KEYS["question"], "tcp", heard)
        if nonce is None:
            return []
        data = server.build_answer(keys["answer"], "tcp", 5061, 5000, nonce)
        return [(0.1, Received("", data[:20])), (0.1, Received("closed", data[20:]))]

    return TwinConnection(VirtualClock(), talk)


async def test_tcp_answers_count_under_the_code_alone():
    asked = task("witness", "tcp", 5061, first_number=0)
    ours = await probe.observe(context(link=tcp_witness(SERVER_KEYS)), asked)
    assert (ours.connect, ours.answered, ours.beats[0].witness_unix_ms) == ("accepted", ((5061, 5061),), 5000)
    forged = await probe.observe(context(link=tcp_witness(server.derive_keys("ffff-eeee-dddd-cccc"))), asked)
    assert (forged.connect, forged.answered, forged.strange) == ("accepted", (), ((5061, 5061),))
    silent = await probe.observe(context(link=NotConnected("silence", None, 1, 4.5)), asked)
    assert (silent.connect, silent.answered, silent.asked) == ("silence", (), ((5061, 5061),))


async def test_without_keys_nothing_is_sent():
    with pytest.raises(CannotLook):
        await probe.observe(TwinContext(), task("witness", "udp", 69, first_number=0))
