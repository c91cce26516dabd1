from __future__ import annotations

import asyncio
import os
from pathlib import Path
from typing import Any

import pytest

from flexiscan.net.link import CannotLook
from flexiscan.net.wall import ScopeWall, open_target
from flexiscan.net.worker import ask_worker
from tests.net.listeners import ear

ODD = "tests.net.worker_modules.odd"
VISITOR = "tests.net.worker_modules.visitor"


async def ask(do: str, *, timeout_s: float = 30.0, module: str = ODD, **more: object) -> dict[str, Any]:
    return await ask_worker(module, {"do": do, **more}, timeout_s=timeout_s, wall=ScopeWall())


def is_alive(pid: int) -> bool:
    """A zombie is dead."""
    try:
        status = Path(f"/proc/{pid}/stat").read_text("utf-8")
    except FileNotFoundError:
        return False
    return status.rpartition(")")[2].split()[0] != "Z"


async def test_the_answer_comes_back() -> None:
    value = {"text": "åäö \u2028", "list": [1, None, 2.5], "long": "x" * 300_000}
    assert await ask("echo", value=value) == {"echo": value}


async def test_the_worker_gets_no_secrets_and_a_session_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SECRET_TOKEN", "x")
    monkeypatch.setenv("HTTPS_PROXY", "http://192.0.2.1:1")
    seen = await ask("environment")
    assert "PATH" in seen["names"]
    assert not {"SECRET_TOKEN", "HTTPS_PROXY", "HOME"} & set(seen["names"])
    assert seen["session"]


async def test_what_a_library_prints_does_not_spoil_the_answer() -> None:
    assert await ask("chatter") == {"quiet": True}


async def test_a_worker_that_fails_is_a_death_with_its_last_words() -> None:
    with pytest.raises(CannotLook, match=r"worker-died: .* ended with 1: ValueError: the defect$") as caught:
        await ask("fail")
    assert caught.value.reason == "worker-died"


async def test_long_complaints_are_cut_at_the_front() -> None:
    with pytest.raises(CannotLook, match=r"ended with 3") as caught:
        await ask("complain")
    assert len(caught.value.detail) < 500


@pytest.mark.parametrize("do", ["list", "flood", "leave"])
async def test_an_answer_that_is_none_is_a_death(do: str) -> None:
    with pytest.raises(CannotLook, match="gave no answer"):
        await ask(do)


@pytest.mark.parametrize("module", ["tests.net.worker_modules.missing", "json.tool"])
async def test_a_module_that_is_no_worker_is_a_death(module: str) -> None:
    with pytest.raises(CannotLook) as caught:
        await ask("echo", module=module)
    assert caught.value.reason == "worker-died"


async def test_a_worker_that_hangs_is_killed_with_its_children(tmp_path: Path) -> None:
    pids = tmp_path / "pids"
    asking = asyncio.create_task(ask("hang", timeout_s=3.0, pids=str(pids)))
    with pytest.raises(CannotLook, match="did not answer within 3 s"):
        await asking
    assert [is_alive(int(pid)) for pid in pids.read_text("utf-8").split()] == [False, False]


async def test_a_worker_is_killed_when_the_task_is_cancelled(tmp_path: Path) -> None:
    pids = tmp_path / "pids"
    os.mkfifo(pids)
    asking = asyncio.create_task(ask("hang", pids=str(pids)))
    numbers = await asyncio.to_thread(pids.read_text, "utf-8")  # returns when the worker has written
    asking.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asking
    assert [is_alive(int(pid)) for pid in numbers.split()] == [False, False]


async def test_sslyze_in_a_worker_cannot_leave_the_scope() -> None:
    wall = ScopeWall(open_target("127.0.0.1"))
    with ear("127.0.0.99") as forbidden:
        where = {"address": forbidden.address, "port": forbidden.port}
        outcome = await ask_worker(VISITOR, where, timeout_s=60.0, wall=wall)
        assert outcome["status"] == "ERROR_NO_CONNECTIVITY"
        assert "outside-scope" in outcome["trace"]
        assert forbidden.heard() == []


async def test_sslyze_in_a_worker_reaches_what_is_in_the_scope() -> None:
    """Or else the test above would prove nothing."""
    wall = ScopeWall(open_target("127.0.0.1"))
    with ear("127.0.0.1") as allowed:
        where = {"address": allowed.address, "port": allowed.port}
        asking = asyncio.create_task(ask_worker(VISITOR, where, timeout_s=60.0, wall=wall))
        connection, _ = await asyncio.get_running_loop().sock_accept(allowed.tcp)
        connection.close()
        asking.cancel()
        await asyncio.wait({asking})
