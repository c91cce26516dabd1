from __future__ import annotations

import random

from flexiscan.net.clock import Clock
from flexiscan.net.dial import StreamConnection
from flexiscan.net.link import Connection, Datagram, DatagramPort
from flexiscan.net.task_context import TaskContext
from flexiscan.sdk import Context
from tests.net.local_parts import pace_of, wall_of
from tests.net.test_datagram import answering
from tests.net.test_dial import Server


def made() -> TaskContext:
    return TaskContext(
        run_id="run",
        user_agent="test",
        random=random.Random(1),
        clock=Clock(),
        pace=pace_of(),
        wall=wall_of("127.0.0.1"),
        host="lab.test",
    )


def test_it_is_what_probes_were_promised() -> None:
    """The type checker proves the rest."""
    context: Context = made()
    assert context.monotonic() <= context.monotonic()


async def test_connections_are_what_probes_were_promised() -> None:
    server = Server("127.0.0.1")
    outcome = await made().connect(server.address, server.port)
    assert isinstance(outcome, StreamConnection)
    connection: Connection = outcome
    connection.close()
    server.listener.close()


async def test_datagram_ports_are_what_probes_were_promised() -> None:
    with answering("127.0.0.1") as peer:
        port: DatagramPort = made().datagrams("127.0.0.1")
        async with port:
            await port.send(b"question", port=peer.getsockname()[1])
            peer.sendto(b"answer", peer.recvfrom(100)[1])
            answer = await port.next(timeout_s=5)
    assert isinstance(answer, Datagram)
    assert answer.data == b"answer"


async def test_workers_stand_behind_the_same_wall() -> None:
    answer = await made().ask_worker(
        "tests.net.worker_modules.odd", {"do": "connect", "address": "127.0.0.99", "port": 9}, timeout_s=30
    )
    assert answer == {"error": "ScopeViolation", "reason": "outside-scope"}
