"""With which hop limit resets arrive: planned for ports that were reset, and measured against a real firewall."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from typing import Any

import pytest

from flexiscan.model.facts import TcpExchange, TcpPath
from flexiscan.model.facts_sweep import TcpReply
from flexiscan.model.observation import Observation
from flexiscan.model.plan import Task
from flexiscan.policy.profile import load_profile
from flexiscan.sdk import PlanView
from flexiscan_probes import tcp_reply
from tests.net import netns
from tests.net.netns import TARGET, Ground
from tests.probes import real_context
from tests.probes.test_tcp_sweep import TARGET as HOST

CLOSED = 80
FAMILIES = ("ipv4", "ipv6")


@pytest.fixture(scope="module")
def ground() -> Iterator[Ground]:
    with netns.ground() as made:
        yield made


def task(address: str, port: int, expected: int) -> Task:
    return real_context.task(address, "tcp", port, expected=expected)


@pytest.mark.netns
@pytest.mark.scenario
@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize(("port", "arrives"), [(CLOSED, 63), (netns.RESET, 64)])
@pytest.mark.parametrize("expected", [63, 126])
def test_forged_resets_arrive_with_another_hop_limit(
    ground: Ground, family: str, port: int, arrives: int, expected: int
) -> None:
    """The target is one hop behind the firewall that forges; both are found, whatever was expected."""
    address = TARGET[family]

    async def ask() -> TcpReply:
        async with real_context.context(address) as ctx:
            return await tcp_reply.observe(ctx, task(address, port, expected))

    fact = ground.scanner.run_async(ask)
    assert fact.hop_limit == arrives
    assert fact.connects <= (4 if arrives == expected else 12)


@pytest.mark.netns
def test_where_nothing_is_reset_there_is_no_number(ground: Ground) -> None:
    address = TARGET["ipv4"]

    async def ask() -> TcpReply:
        async with real_context.context(address) as ctx:
            return await tcp_reply.observe(ctx, task(address, netns.PROHIBITED, 63))

    assert ground.scanner.run_async(ask).hop_limit is None


def seen(**outcomes: Any) -> dict[str, Any]:
    now = dt.datetime(2026, 11, 2, 9, 0, tzinfo=dt.UTC)
    tasks: dict[str, Task] = {}
    observations: dict[str, Observation] = {}
    for name, (role, port, outcome) in outcomes.items():
        tasks[name] = task("192.0.2.10", port, 62).model_copy(update={"id": name, "role": role, "lane": name})
        observations[name] = Observation(id=name, started=now, ended=now, outcome=outcome)
    return {"tasks": tasks, "seen": observations}


def planned(number: int = tcp_reply.ROUND, **outcomes: Any) -> list[tuple[int | None, Any]]:
    view = PlanView(
        round=number,
        target=HOST,
        addresses=(),
        profile=load_profile(),
        depth="quick",
        seed=1,
        **seen(**outcomes),
    )
    return [(draft.port, draft.params["expected"]) for draft in tcp_reply.plan(view)]


def test_only_reset_ports_are_asked_and_only_where_the_server_is_known():
    reset, silent = TcpExchange(connect="reset"), TcpExchange(connect="silence")
    way = ("tcp-path", 443, TcpPath(port=443, reply_hop_limit=62))
    ports: dict[str, Any] = {"a": ("tcp", 5060, reset), "b": ("tcp", 22, silent), "c": ("tcp-canary", 30000, reset)}
    assert planned(way=way, **ports) == [(5060, 62)]
    assert planned(**ports) == []
    assert planned(way=("tcp-path", 443, TcpPath(port=443)), **ports) == []
    assert planned(1, way=way, **ports) == []
