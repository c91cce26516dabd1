"""Runs a module in a process of its own: for libraries that must be killed when they hang, or kept apart."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import sys
from collections.abc import Mapping
from typing import Any

from flexiscan.net.link import CannotLook
from flexiscan.net.wall import ScopeWall

MAX_ANSWER_BYTES = 32 * 1024 * 1024
MAX_STDERR_BYTES = 64 * 1024
MAX_LINE_BYTES = 2 * 1024 * 1024
"""For workers that answer line by line."""
_DETAIL_CHARACTERS = 300
_KEPT_VARIABLES = ("PATH", "LANG", "LC_ALL", "SYSTEMROOT", "TMPDIR", "VIRTUAL_ENV", "SSL_CERT_FILE", "SSL_CERT_DIR")
"""What Python and OpenSSL need to start; proxies, credentials and the like stay here."""
_READ_BYTES = 65536


async def ask_worker(module: str, request: Mapping[str, Any], *, timeout_s: float, wall: ScopeWall) -> dict[str, Any]:
    """Run `python -m module` with the request and the wall on standard input; its answer, a JSON object.

    The worker has a session of its own and is killed, with all that it started, at the deadline and when the caller
    is cancelled. Raises CannotLook("worker-died") when there is no usable answer, with the end of what it complained.
    """
    envelope = {"wall": wall.to_json(), "deadline_s": timeout_s, "request": dict(request)}
    process = await start_worker(module)
    try:
        async with asyncio.timeout(timeout_s):
            answer, complaints = await _converse(process, json.dumps(envelope).encode())
    except TimeoutError:
        raise CannotLook("worker-died", f"{module} did not answer within {timeout_s:g} s and was ended") from None
    finally:
        end_worker(process)
        await asyncio.shield(process.wait())
    return _read_answer(module, process.returncode, answer, complaints)


async def start_worker(module: str, *, descriptors: tuple[int, ...] = ()) -> asyncio.subprocess.Process:
    """`python -m module` with three pipes, a session of its own, and of our open files only `descriptors`.

    Raises CannotLook("no-resource").
    """
    environment = {name: os.environ[name] for name in _KEPT_VARIABLES if name in os.environ}
    # Where the modules of this process were found, so that the worker is of the same version.
    environment["PYTHONPATH"] = os.pathsep.join(path for path in sys.path if path)
    try:
        return await asyncio.create_subprocess_exec(
            sys.executable,
            "-P",  # no module is taken from the folder that the user happens to be in
            "-m",
            module,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            env=environment,
            start_new_session=True,
            pass_fds=descriptors,
            limit=MAX_LINE_BYTES,
        )
    except OSError as error:
        raise CannotLook("no-resource", f"cannot start a worker: {error.strerror}") from error
    except NotImplementedError as error:  # the event loop that can watch sockets on Windows
        raise CannotLook("no-resource", "this event loop starts no worker") from error


async def _converse(process: asyncio.subprocess.Process, question: bytes) -> tuple[bytes, bytes]:
    """Send the question; all of standard output and of standard error, each up to its limit."""
    stdin, stdout, stderr = process.stdin, process.stdout, process.stderr
    if stdin is None or stdout is None or stderr is None:
        raise ValueError("the worker was started without pipes")
    async with asyncio.TaskGroup() as group:
        answer = group.create_task(_read_capped(stdout, MAX_ANSWER_BYTES))
        complaints = group.create_task(_read_capped(stderr, MAX_STDERR_BYTES))
        with contextlib.suppress(ConnectionError):  # it died before it read everything; its exit tells
            stdin.write(question)
            await stdin.drain()
        stdin.close()
    await process.wait()
    return answer.result(), complaints.result()


async def _read_capped(stream: asyncio.StreamReader, max_bytes: int) -> bytes:
    """Read to the end; what comes after `max_bytes` is dropped."""
    kept = bytearray()
    while chunk := await stream.read(_READ_BYTES):
        kept += chunk[: max_bytes - len(kept)]
    return bytes(kept)


def end_worker(process: asyncio.subprocess.Process) -> None:
    """Kill it. The worker leads its process group, so its children go with it."""
    with contextlib.suppress(ProcessLookupError):
        if hasattr(os, "killpg"):
            os.killpg(process.pid, signal.SIGKILL)
        else:
            process.kill()


def _read_answer(module: str, exit_code: int | None, output: bytes, complaints: bytes) -> dict[str, Any]:
    if exit_code != 0:
        raise CannotLook("worker-died", f"{module} ended with {exit_code}: {_last_line(complaints)}")
    try:
        envelope = json.loads(output)
    except ValueError:
        envelope = None
    answer = envelope.get("answer") if isinstance(envelope, dict) else None
    if not isinstance(answer, dict):
        raise CannotLook("worker-died", f"{module} gave no answer: {_last_line(complaints)}")
    return answer


def _last_line(complaints: bytes) -> str:
    """Where Python names the exception."""
    lines = complaints.decode("utf-8", "replace").split("\n")
    return next((line.strip() for line in reversed(lines) if line.strip()), "")[-_DETAIL_CHARACTERS:]
