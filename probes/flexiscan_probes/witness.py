"""Questions to the witness on the server: what arrives there was let through. Only with `--witness`, by agreement.

Controls are questions to a port that is let through for the test: they show that questions arrive at all. They are
put before, among and after the others. What the witness did not answer says nothing here: only its log does.
"""

from __future__ import annotations

import random
from collections.abc import Iterable
from dataclasses import replace
from typing import Final

from flexiscan.model.endpoint import Transport
from flexiscan.model.facts_witness import WitnessBeat, WitnessExchange
from flexiscan.model.plan import Task
from flexiscan.model.witness_message import (
    ANSWER_BYTES,
    WitnessKeys,
    WitnessMessageError,
    build_question,
    read_answer,
    witness_nonce,
)
from flexiscan.sdk import CannotLook, Connection, Context, Draft, NotConnected, PlanView, ProbeSpec
from flexiscan_probes.sweep_order import sample_ports
from flexiscan_probes.witness_questions import FIRST_CONTROL, PASS_WAIT_S, Questions

CONTROL_ROLE: Final = "witness-control"
ROLE: Final = "witness"
RANGE_ROLE: Final = "witness-range"
BEFORE: Final = 1000
AFTER: Final = 2000
"""Question numbers of the controls of round 1 and round 3; those of ports count from 0."""
FIRST_OF_SINGLE: Final = 1_000_000
"""Question numbers of the controls among the questions to single ports, a block for each port: none comes twice."""
CONTROLS_OF_ONE: Final = 100
UDP_TRIES: Final = 3
RANGE_PASSES: Final = 2
QUICK_SAMPLE: Final = 500
CONNECT_TIMEOUT_S: Final = 4.5
ANSWER_WAIT_S: Final = 3.0
_DEFAULT_PPS: Final = 200
_SPARE_S: Final = 60.0
_CONTROL_S: Final = 5.0


def plan(view: PlanView) -> Iterable[Draft]:
    """Controls in rounds 1 and 3; every port of the profile, and every range, in round 2."""
    control_port = view.options.get("witness_control_port")
    if control_port is None or view.round not in (1, 2, 3):
        return []
    drafts: list[Draft] = []
    for address in (entry.address for entry in view.addresses):
        if view.round == 2:
            drafts += _questions(view, address, int(control_port))
        else:
            first_number = BEFORE if view.round == 1 else AFTER
            for transport in ("tcp", "udp"):
                drafts.append(_draft(CONTROL_ROLE, address, transport, int(control_port), first_number))
    return drafts


def _questions(view: PlanView, address: str, control_port: int) -> list[Draft]:
    drafts: list[Draft] = []
    for number, row in enumerate(view.profile.ports, start=1):
        if row.last_port is not None:
            drafts.append(_range(view, address, row.port, row.last_port, control_port))
        elif row.port not in (view.target.http_port, view.target.https_port):
            draft = _draft(ROLE, address, row.transport, row.port, 0)
            drafts.append(_among_controls(draft, control_port, number) if row.transport == "udp" else draft)
    return drafts


def _among_controls(draft: Draft, control_port: int, number: int) -> Draft:
    """Questions over UDP, each with a control before and after it: one that is lost on the way tells no one."""
    controls = {"control_port": control_port, "first_control": FIRST_OF_SINGLE + CONTROLS_OF_ONE * number}
    return replace(draft, params={**draft.params, **controls}, datagrams=3 * draft.datagrams)


def _draft(role: str, address: str, transport: Transport, port: int, first_number: int) -> Draft:
    silence_s = CONNECT_TIMEOUT_S if transport == "tcp" else UDP_TRIES * PASS_WAIT_S
    return Draft(
        role=role,
        name=f"{role}-{first_number}" if role == CONTROL_ROLE else role,
        address=address,
        transport=transport,
        port=port,
        params={"first_number": first_number},
        gate=transport,
        datagrams=UDP_TRIES if transport == "udp" else 0,
        silence_s=silence_s,
        deadline_s=silence_s + ANSWER_WAIT_S + _SPARE_S,
    )


def _range(view: PlanView, address: str, first: int, last: int, control_port: int) -> Draft:
    count = QUICK_SAMPLE if view.depth == "quick" else last - first + 1
    pps = int(view.options.get("udp_pps", _DEFAULT_PPS))
    wait_s = RANGE_PASSES * PASS_WAIT_S
    asking_s = RANGE_PASSES * count / pps
    datagrams = round(RANGE_PASSES * count + 2 * asking_s / _CONTROL_S)
    return Draft(
        role=RANGE_ROLE,
        name=f"{first}-{last}",
        address=address,
        transport="udp",
        params={
            "first_port": first,
            "last_port": last,
            "count": count,
            "control_port": control_port,
            "excluded": sorted(view.options.get("excluded_ports", ())),
            "seed": random.Random(f"{view.seed}:witness:{address}:{first}").getrandbits(32),
        },
        gate="udp",
        datagrams=datagrams,
        silence_s=wait_s,
        # The pace of an address is shared with the sweep without a witness.
        deadline_s=_SPARE_S + wait_s + 5 * asking_s,
    )


async def observe(ctx: Context, task: Task) -> WitnessExchange:
    """Put the task's questions; what was answered under the code."""
    if task.address is None or task.transport is None:
        raise ValueError(f"task {task.id} names no address and transport")
    if task.role == RANGE_ROLE:
        return await _observe_range(ctx, task, task.address)
    if task.port is None:
        raise ValueError(f"task {task.id} names no port")
    if task.transport == "tcp":
        return await _observe_tcp(ctx, task, task.address, task.port)
    return await _observe_udp(ctx, task, task.address, task.port)


async def _observe_range(ctx: Context, task: Task, address: str) -> WitnessExchange:
    first, last, seed = (int(task.params[name]) for name in ("first_port", "last_port", "seed"))
    chance = random.Random(seed)
    ports = sample_ports(first, last, int(task.params["count"]), frozenset(task.params["excluded"]), chance)
    async with ctx.datagrams(address) as link:
        questions = Questions(ctx, link, _keys(ctx), control_port=int(task.params["control_port"]))
        for number in range(RANGE_PASSES):
            await questions.put(ports if number == 0 else chance.sample(ports, len(ports)), number)
        return questions.as_exchange(first, last, RANGE_PASSES)


async def _observe_udp(ctx: Context, task: Task, address: str, port: int) -> WitnessExchange:
    first_number = int(task.params["first_number"])
    control_port, first_control = task.params.get("control_port"), int(task.params.get("first_control", FIRST_CONTROL))
    async with ctx.datagrams(address) as link:
        questions = Questions(ctx, link, _keys(ctx), control_port=control_port, first_control=first_control)
        for number in range(first_number, first_number + UDP_TRIES):
            if port not in questions.answered:
                await questions.put([port], number)
        return questions.as_exchange(port, port, UDP_TRIES)


async def _observe_tcp(ctx: Context, task: Task, address: str, port: int) -> WitnessExchange:
    began_s = ctx.monotonic()
    keys = _keys(ctx)
    nonce = witness_nonce(keys, ctx.run_id, "tcp", address, port, int(task.params["first_number"]))
    link = await ctx.connect(address, port, timeout_s=CONNECT_TIMEOUT_S)
    base = WitnessExchange(transport="tcp", first_port=port, last_port=port, asked=((port, port),), tries=1)
    if isinstance(link, NotConnected):
        return base.model_copy(update={"connect": link.outcome, "waited_s": ctx.monotonic() - began_s})
    async with link:
        sent_s = ctx.monotonic()
        await link.send(build_question(keys, "tcp", port, nonce), timeout_s=ANSWER_WAIT_S)
        data = await _read(ctx, link)
    ended_s = ctx.monotonic()
    found = {"connect": "accepted", "waited_s": ended_s - began_s}
    try:
        answer = read_answer(keys, "tcp", nonce, data)
    except WitnessMessageError:
        return base.model_copy(update={**found, "strange": ((port, port),) if data else ()})
    beat = WitnessBeat(
        port=port,
        arrived_at_port=answer.port,
        sent_after_s=sent_s - began_s,
        answered_after_s=ended_s - began_s,
        witness_unix_ms=answer.unix_ms,
    )
    return base.model_copy(update={**found, "answered": ((port, port),), "beats": (beat,)})


async def _read(ctx: Context, link: Connection) -> bytes:
    """As much as an answer has, or what came before the stream ended or the time was over."""
    data = b""
    ends_s = ctx.monotonic() + ANSWER_WAIT_S
    while len(data) < ANSWER_BYTES and (left_s := ends_s - ctx.monotonic()) > 0:
        received = await link.receive(max_bytes=ANSWER_BYTES - len(data), timeout_s=left_s)
        data += received.data
        if received.ending:
            break
    return data


def _keys(ctx: Context) -> WitnessKeys:
    text = ctx.secrets.get("witness")
    if text is None:
        raise CannotLook("internal", "the keys for the witness are not here")
    return WitnessKeys.from_text(text)


SPEC: Final = ProbeSpec(id="witness.ask", version=1, plan=plan, observe=observe)
