"""Asks a second TLS engine, in a process of its own that is killed at its deadline.

It answers what needs cryptography (renegotiation, ROBOT, Heartbleed, ...) and checks the first engine. It cannot
tell a refusal from silence, so nothing that it fails to see is ever taken as refused. It comes after everything else,
because it is the loudest guest: what it upsets can no longer upset our own questions.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final

from flexiscan.model.facts_tls import TlsSecondOpinion
from flexiscan.model.plan import Task
from flexiscan.model.tls_reading import agreed_to
from flexiscan.sdk import CannotLook, Context, Draft, PlanView, ProbeSpec
from flexiscan_probes.tls import server_name_for

OPINION_ROUND: Final = 3

STANDARD_DEADLINE_S: Final = 30.0
FULL_DEADLINE_S: Final = 120.0
"""With every cipher suite tried one by one, one connection at a time."""
_MARGIN_S: Final = 5.0
USUAL_S: Final = 3.0
"""What it takes of an ordinary server, for the estimate."""

_WORKER: Final = "flexiscan_probes.sslyze_worker"
_ENGINE: Final = "sslyze"


def plan(view: PlanView) -> Iterable[Draft]:
    """One task for every address whose HTTPS port took up a hello."""
    depth = view.options.get("second_opinion", "standard")
    if view.round != OPINION_ROUND or depth == "none":
        return
    port = view.target.https_port
    for address in view.addresses:
        if _speaks_tls(view, address.address, port):
            yield Draft(
                role="tls-second-opinion",
                name=_ENGINE,
                address=address.address,
                transport="tcp",
                port=port,
                params={"sni": server_name_for(view.target.host), "depth": depth},
                gate="tls",
                silence_s=USUAL_S,
                deadline_s=_deadline_s(depth) + _MARGIN_S,
            )


def _speaks_tls(view: PlanView, address: str, port: int) -> bool:
    return any(
        observation.outcome.kind == "tls-hello"
        and agreed_to(observation.outcome)
        and (view.tasks[task_id].address, view.tasks[task_id].port) == (address, port)
        for task_id, observation in view.seen.items()
    )


async def observe(context: Context, task: Task) -> TlsSecondOpinion:
    """Run the worker against one address. An engine that gave no answer is an opinion that was not reached."""
    request: dict[str, Any] = {
        "address": task.address,
        "port": task.port,
        "server_name": task.params["sni"],
        "depth": task.params["depth"],
        # One slot of the handshake budget is held meanwhile, so one connection at a time is what may be used.
        "connections": 1,
    }
    try:
        answer = await context.ask_worker(_WORKER, request, timeout_s=_deadline_s(task.params["depth"]))
    except CannotLook as obstacle:
        if obstacle.reason not in ("worker-died", "no-resource"):
            raise
        return TlsSecondOpinion(engine=_ENGINE, reached=False, detail=str(obstacle))
    return TlsSecondOpinion.model_validate(answer)


def _deadline_s(depth: str) -> float:
    return FULL_DEADLINE_S if depth == "full" else STANDARD_DEADLINE_S


SPEC = ProbeSpec(id="tls.second-opinion", version=1, plan=plan, observe=observe)
