"""When the second engine is asked, and what its silence is worth."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from flexiscan.model.failure import FailureKind
from flexiscan.model.plan import Task
from flexiscan.sdk import CannotLook
from flexiscan_probes.tls_second_opinion import SPEC, observe
from tests.policy.tls_world import TlsServer, TlsWorld
from tests.probes.twin import TwinContext

TASK = Task(
    id="second",
    probe=SPEC.id,
    host="flexi.example.test",
    role="tls-second-opinion",
    address="192.0.2.1",
    transport="tcp",
    port=443,
    params={"sni": "flexi.example.test", "depth": "standard"},
    lane="second",
)


class Worker(TwinContext):
    """A context whose worker answers as the test wants."""

    def __init__(self, answer: dict[str, Any] | FailureKind) -> None:
        super().__init__()
        self.answer = answer
        self.requests: list[Mapping[str, Any]] = []

    async def ask_worker(self, module: str, request: Mapping[str, Any], *, timeout_s: float) -> dict[str, Any]:
        self.requests.append(request)
        if isinstance(self.answer, str):
            raise CannotLook(self.answer, "as the test wants")
        return self.answer


async def test_the_worker_is_told_the_address_the_name_and_the_pace() -> None:
    worker = Worker({"engine": "sslyze", "reached": True, "versions": {"TLSv1.2": True}})
    opinion = await observe(worker, TASK)
    assert opinion.reached
    assert opinion.versions == {"TLSv1.2": True}
    [request] = worker.requests
    assert (request["address"], request["server_name"], request["connections"]) == (
        "192.0.2.1",
        "flexi.example.test",
        1,
    )


@pytest.mark.parametrize("reason", ["worker-died", "no-resource"])
async def test_an_engine_that_gave_no_answer_is_an_opinion_not_reached(reason: FailureKind) -> None:
    opinion = await observe(Worker(reason), TASK)
    assert (opinion.reached, opinion.versions, opinion.highest_version) == (False, {}, None)


async def test_other_obstacles_are_failures_of_the_task() -> None:
    with pytest.raises(CannotLook):
        await observe(Worker("outside-scope"), TASK)


@pytest.mark.parametrize(
    ("server", "asked"),
    [
        (TlsServer(), True),
        (TlsServer({"TLSv1.0": (0x002F,)}), True),
        (TlsServer(quirk=lambda number, question: "timeout"), False),
        (TlsServer(quirk=lambda number, question: "not-tls"), False),
        (TlsServer(quirk=lambda number, question: 40), False),
    ],
)
def test_only_a_port_that_took_up_a_hello_is_asked(server: TlsServer, asked: bool) -> None:
    world = TlsWorld(server).run()
    view = world.view(3)
    depths = {depth: list(SPEC.plan(view(depth))) for depth in ("none", "standard", "full")}
    assert [len(depths[depth]) for depth in ("none", "standard", "full")] == [0, int(asked), int(asked)]
    assert list(SPEC.plan(world.view(2)("standard"))) == []
