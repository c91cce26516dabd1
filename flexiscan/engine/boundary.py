"""The task boundary: the one place where an exception becomes a Failure, and never a fact about the target."""

from __future__ import annotations

import asyncio
import traceback
from collections.abc import Awaitable, Callable

from pydantic import TypeAdapter

from flexiscan.engine.runtime import Runtime
from flexiscan.model.facts import Fact
from flexiscan.model.failure import Failure
from flexiscan.model.observation import Observation
from flexiscan.model.plan import Task
from flexiscan.net.link import CannotLook
from flexiscan.net.wall import ScopeViolation
from flexiscan.sdk import Context

MAX_DETAIL_CHARACTERS = 400

Observe = Callable[[Context, Task], Awaitable[Fact]]

_FACT: TypeAdapter[Fact] = TypeAdapter(Fact)
"""Whatever else a probe returns is a defect of ours, not an answer."""


async def run_task(runtime: Runtime, task: Task, observe: Observe) -> Observation:
    """Wait for the task's turn, run it under its deadline, and note what came of it.

    Never raises for what a probe does. Cancellation from outside passes through.
    """
    async with runtime.pace.turn(task.gate, host=task.host, address=task.address):
        started = runtime.stamp()
        outcome = await _attempt(runtime, task, observe)
        running = asyncio.current_task()
        if running is not None and running.cancelling():
            raise asyncio.CancelledError  # the probe turned it into something else; the lane must end all the same
        return Observation(id=task.id, started=started, ended=runtime.stamp(), outcome=outcome)


async def _attempt(runtime: Runtime, task: Task, observe: Observe) -> Fact | Failure:
    try:
        async with asyncio.timeout(task.deadline_s):
            return _FACT.validate_python(await observe(runtime.context(task), task))
    except CannotLook as obstacle:
        return Failure(reason=obstacle.reason, detail=obstacle.detail[:MAX_DETAIL_CHARACTERS])
    except ScopeViolation as violation:
        return Failure(reason=violation.reason, detail=violation.detail[:MAX_DETAIL_CHARACTERS])
    except TimeoutError:
        return Failure(reason="deadline", detail=f"{task.deadline_s:g} s")
    except Exception as error:  # noqa: BLE001 - a defect of ours must show as such, not as an answer of the target
        place = traceback.extract_tb(error.__traceback__)[-1]
        detail = f"{type(error).__name__}: {error} ({place.name}, line {place.lineno})"
        return Failure(reason="internal", detail=detail[:MAX_DETAIL_CHARACTERS])
