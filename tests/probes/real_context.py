"""A task context over real sockets that can reach one address only, and the tasks for it."""

from __future__ import annotations

import contextlib
import random
from collections.abc import AsyncIterator
from typing import Any

from flexiscan.model.endpoint import Transport
from flexiscan.model.plan import Task
from flexiscan.model.target import Rates
from flexiscan.net.clock import Clock
from flexiscan.net.pace import Pace
from flexiscan.net.task_context import TaskContext
from flexiscan.net.wall import ScopeWall, open_target


@contextlib.asynccontextmanager
async def context(address: str) -> AsyncIterator[TaskContext]:
    clock = Clock()
    pace = Pace(Rates(udp_pps=2000), clock)
    try:
        yield TaskContext(
            run_id="test",
            user_agent="FlexiScan/test",
            random=random.Random(1),
            clock=clock,
            pace=pace,
            wall=ScopeWall(open_target(address), clock=clock),
            host="flexi.example.test",
        )
    finally:
        await pace.aclose()


def task(address: str, transport: Transport, port: int | None, **params: Any) -> Task:
    return Task(
        id=f"{transport}/{port}",
        probe=transport,
        host="flexi.example.test",
        role=transport,
        address=address,
        transport=transport,
        port=port,
        params=params,
        lane="",
    )
