"""Asks a second TLS engine, in a process of its own that is killed at its deadline.

It answers what needs cryptography (renegotiation, ROBOT, Heartbleed, ...) and checks the first engine. It cannot
tell a refusal from silence, so nothing that it fails to see is ever taken as refused.
"""

from __future__ import annotations

from typing import Any, Final

from flexiscan.model.facts_tls import TlsSecondOpinion
from flexiscan.model.plan import Task
from flexiscan.sdk import CannotLook, Context

SECOND_OPINION_DEADLINE_S: Final = 30.0
FULL_DEADLINE_S: Final = 120.0
"""With every cipher suite tried one by one, one connection at a time."""

_WORKER: Final = "flexiscan_probes.sslyze_worker"
_ENGINE: Final = "sslyze"


async def ask_second_engine(context: Context, task: Task) -> TlsSecondOpinion:
    """Run the worker against one address. An engine that gave no answer is an opinion that was not reached."""
    request: dict[str, Any] = {
        "address": task.address,
        "port": task.port,
        "server_name": task.params.get("sni"),
        "depth": task.params["second_opinion"],
        # One slot of the handshake budget is held meanwhile, so one connection at a time is what may be used.
        "connections": 1,
    }
    try:
        answer = await context.ask_worker(_WORKER, request, timeout_s=second_opinion_deadline_s(task.params))
    except CannotLook as obstacle:
        if obstacle.reason != "worker-died":
            raise
        return TlsSecondOpinion(engine=_ENGINE, reached=False, detail=str(obstacle))
    return TlsSecondOpinion.model_validate(answer)


def second_opinion_deadline_s(params: dict[str, Any]) -> float:
    """How long the worker may take, in seconds."""
    return FULL_DEADLINE_S if params["second_opinion"] == "full" else SECOND_OPINION_DEADLINE_S
