"""The probes that need raw sockets: planned only in a run that has them, and after everything that judges."""

from __future__ import annotations

from dataclasses import replace

import pytest

from flexiscan.engine.planner import as_task
from flexiscan.model.endpoint import TargetAddress
from flexiscan.model.facts_raw import IcmpCapture, SynProbe
from flexiscan.model.target import Target
from flexiscan.policy.profile import load_profile
from flexiscan.sdk import PlanView
from flexiscan_probes import icmp_raw, tcp, tcp_raw
from tests.probes.twin import TwinContext

V4, V6 = "192.0.2.10", "2001:db8::10"
VIEW = PlanView(
    round=3,
    target=Target(host="flexi.example.test", mitai_ports=(7000,)),
    addresses=(TargetAddress(address=V4, family="ipv4"), TargetAddress(address=V6, family="ipv6")),
    profile=load_profile(),
    depth="quick",
    seed=1,
    tasks={},
    seen={},
    options={"raw": True},
)


class RawContext(TwinContext):
    async def half_open(self, address: str, port: int) -> SynProbe:
        assert (address, port) == (V4, 5060)
        return SynProbe(tries=5)

    async def icmp_errors(self, address: str) -> IcmpCapture:
        assert address == V4
        return IcmpCapture(left_out=3)


@pytest.mark.parametrize("module", [tcp_raw, icmp_raw])
def test_nothing_is_planned_without_raw_sockets(module):
    for number in range(4):
        for options in ({}, {"raw": False}):
            assert list(module.plan(replace(VIEW, round=number, options=options))) == []


@pytest.mark.parametrize("module", [tcp_raw, icmp_raw])
def test_they_come_last(module):
    assert [number for number in range(4) if list(module.plan(replace(VIEW, round=number)))] == [3]


def test_half_open_asks_what_connects_ask():
    connects = {(d.address, d.port) for d in tcp.plan(replace(VIEW, round=1)) if d.role == "tcp"}
    drafts = list(tcp_raw.plan(VIEW))
    assert {(draft.address, draft.port) for draft in drafts} == connects
    assert {draft.transport for draft in drafts} == {"tcp"}
    assert {draft.gate for draft in drafts} == {"udp"}, "a half-open SYN is no connect: it can be no control"


async def test_what_is_seen_is_the_fact():
    tasks = {draft.role: draft for draft in (*tcp_raw.plan(VIEW), *icmp_raw.plan(VIEW)) if draft.address == V4}
    assert tasks.keys() == {"tcp-raw", "icmp-raw"}
    syn = as_task(tcp_raw.SPEC, replace(tasks["tcp-raw"], port=5060), VIEW)
    assert await tcp_raw.observe(RawContext(), syn) == SynProbe(tries=5)
    errors = as_task(icmp_raw.SPEC, tasks["icmp-raw"], VIEW)
    assert await icmp_raw.observe(RawContext(), errors) == IcmpCapture(left_out=3)
