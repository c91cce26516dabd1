"""The one file, run as on a server: on loopback, with real sockets and a log that is read as a scan reads it."""

from __future__ import annotations

import ast
import errno
import json
import selectors
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from flexiscan import witness as server
from flexiscan.model import witness_message as wire
from flexiscan.policy.witness.log import WitnessLog, read_log

CODE = "a1b2-c3d4-e5f6-0719"
KEYS = wire.witness_keys(CODE)
HOST = "127.21.0.1"
"""Of its own: other tests run witnesses on the usual one at the same time."""
FILE = Path(server.__file__)
MEDIA_PORT = 40000


@contextmanager
def running(log: Path, *options: str, host: str = HOST) -> Iterator[subprocess.Popen[str]]:
    """A witness on loopback that listens already."""
    argv = [sys.executable, "-I", str(FILE), "--code", CODE, "--log", str(log), "--bind", host, "--media-ports", "4"]
    child = subprocess.Popen([*argv, *options], stderr=subprocess.PIPE, text=True)
    try:
        assert child.stderr is not None
        first = child.stderr.readline()
        assert first.startswith("listening on"), first
        yield child
    finally:
        child.kill()
        child.communicate()


def end(child: subprocess.Popen[str], log: Path) -> WitnessLog:
    child.send_signal(signal.SIGINT)
    assert child.wait(20) == 130
    return read_log(log.read_bytes(), KEYS.log)


def nonce_of(number: int, transport: str = "udp") -> bytes:
    return wire.witness_nonce(KEYS, "run", "tcp" if transport == "tcp" else "udp", HOST, MEDIA_PORT, number)


def ask_udp(sock: socket.socket, payload: bytes, port: int = MEDIA_PORT) -> bytes:
    sock.settimeout(5)
    sock.sendto(payload, (HOST, port))
    return sock.recv(2048)


@pytest.fixture
def sock() -> Iterator[socket.socket]:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as made:
        made.bind((HOST, 0))
        yield made


def test_it_is_written_for_python_3_8_and_the_standard_library_alone():
    tree = ast.parse(FILE.read_text(encoding="utf-8"), feature_version=(3, 8))
    names = {alias.name for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names}
    names |= {node.module or "" for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
    assert {name.partition(".")[0] for name in names} <= set(sys.stdlib_module_names)
    newer = {"zip": "strict", "dataclass": "slots"}
    calls = [node for node in ast.walk(tree) if isinstance(node, ast.Call) and isinstance(node.func, ast.Name)]
    assert not [c for c in calls if any(k.arg == newer.get(getattr(c.func, "id", "")) for k in c.keywords if k.arg)]


PYTHONS = [sys.executable, *(str(path) for path in Path("~/.pyenv/versions").expanduser().glob("3.[89].*/bin/python"))]


@pytest.mark.parametrize("python", PYTHONS, ids=[Path(python).parent.parent.name for python in PYTHONS])
def test_a_copied_file_runs_without_anything_installed(python: str, tmp_path: Path, sock: socket.socket):
    """As on a server: no site-packages, no environment, the file alone; the code comes over standard input."""
    copy, log = tmp_path / "witness.py", tmp_path / "log"
    copy.write_bytes(FILE.read_bytes())
    argv = [python, "-I", "-S", str(copy), "--code", "-", "--log", str(log), "--bind", HOST, "--media-ports", "4"]
    with subprocess.Popen(
        argv, stdin=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=tmp_path, env={}
    ) as child:
        assert child.stdin is not None
        assert child.stderr is not None
        child.stdin.write(f"{CODE}\n")
        child.stdin.flush()
        assert child.stderr.readline().startswith("listening on")
        assert wire.read_answer(
            KEYS, "udp", nonce_of(0), ask_udp(sock, wire.build_question(KEYS, "udp", MEDIA_PORT, nonce_of(0)))
        )
        found = end(child, log)
    assert [(arrival.port, arrival.local) for arrival in found.arrivals] == [(MEDIA_PORT, HOST)]


def test_the_code_may_come_from_a_file(tmp_path: Path):
    file = tmp_path / "code"
    file.write_text(f"\ufeff{CODE}\r\n", encoding="utf-8")
    assert server.derive_keys(server.read_code(f"@{file}")) == server.derive_keys(server.read_code(CODE))
    assert server.main(["--code", f"@{file}.none", "--log", str(tmp_path / "log")]) == 2


def test_ctrl_c_ends_it_also_where_it_was_started_to_ignore_that(tmp_path: Path):
    """A shell starts what runs in its background so; the log has to get its end all the same."""
    log = tmp_path / "log"
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        with running(log) as child:
            signal.signal(signal.SIGINT, signal.default_int_handler)
            assert end(child, log).is_whole
    finally:
        signal.signal(signal.SIGINT, signal.default_int_handler)


def test_a_socket_for_both_families_tells_where_ipv4_arrived(sock: socket.socket):
    door = server.listening_socket("udp", "::", 0, dual=True)
    with door:
        sock.sendto(b"x", (HOST, door.getsockname()[1]))
        door.setblocking(True)
        data, source, local = server.receive_datagram(door)
    assert (data, local, server.name_of(source)) == (b"x", HOST, f"{HOST}#{sock.getsockname()[1]}")


def test_of_the_media_ports_both_ends_and_the_rest_by_chance():
    def media(count: int) -> list[int]:
        return [p for t, p in server.wanted_ports(count, 51515) if t == "udp" and 40000 <= p <= 50000]

    assert [media(count) for count in (0, 1, 2)] == [[], [40000], [40000, 50000]]
    assert len(set(media(500))) == 500
    assert media(500) != media(500)
    assert sorted(media(20_000)) == list(range(40000, 50001))


def test_ours_is_answered_and_noted_and_strangers_are_only_noted(tmp_path: Path, sock: socket.socket):
    log = tmp_path / "log"
    with running(log) as child:
        stranger = wire.build_question(wire.witness_keys("ffff-eeee-dddd-cccc"), "udp", MEDIA_PORT, nonce_of(9))
        for payload in (b"", b"\x80\xc9\x00\x01abcd", stranger, b"x" * 72, b"y" * 2000):
            sock.sendto(payload, (HOST, MEDIA_PORT))
        question = wire.build_question(KEYS, "udp", MEDIA_PORT, nonce_of(0))
        answer = ask_udp(sock, question)
        assert wire.read_answer(KEYS, "udp", nonce_of(0), answer).port == MEDIA_PORT
        found = end(child, log)
    how = [arrival.how for arrival in found.arrivals]
    assert how.count("ok") == 1
    assert how.count("not-ours") == server.LISTED_PER_PORT["not-ours"]
    assert found.is_whole
    text = log.read_text()
    assert json.loads(text.splitlines()[-1])["totals"] == {"not-ours": 5, "ok": 1, "unlisted": 1}
    assert "yyyy" not in text
    assert nonce_of(0).hex() in text


def test_a_replayed_question_is_not_answered_again(tmp_path: Path, sock: socket.socket):
    log = tmp_path / "log"
    with running(log) as child:
        question = wire.build_question(KEYS, "udp", MEDIA_PORT, nonce_of(0))
        ask_udp(sock, question)
        sock.sendto(question, (HOST, MEDIA_PORT))
        sock.sendto(question, (HOST, 5060))
        fresh = ask_udp(sock, wire.build_question(KEYS, "udp", MEDIA_PORT, nonce_of(1)))
        assert wire.read_answer(KEYS, "udp", nonce_of(1), fresh)
        found = end(child, log)
    assert sorted((a.how, a.port) for a in found.arrivals) == [
        ("ok", MEDIA_PORT),
        ("ok", MEDIA_PORT),
        ("replayed", 5060),
        ("replayed", MEDIA_PORT),
    ]


def test_over_tcp_a_connection_is_noted_whatever_it_says(tmp_path: Path):
    log = tmp_path / "log"
    nonce = nonce_of(0, "tcp")
    with running(log) as child:
        with socket.create_connection((HOST, 5061), 5):
            pass
        with socket.create_connection((HOST, 5061), 5) as link:
            link.sendall(wire.build_question(KEYS, "tcp", 5061, nonce))
            answer = b""
            while chunk := link.recv(200):
                answer += chunk
        assert wire.read_answer(KEYS, "tcp", nonce, answer).port == 5061
        found = end(child, log)
    assert [(a.place, a.port, a.how) for a in found.arrivals] == [("tcp4", 5061, "not-ours"), ("tcp4", 5061, "ok")]


def test_a_port_in_use_is_left_alone_and_named(tmp_path: Path, sock: socket.socket):
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as other:
        other.bind((HOST, 1434))
        with running(tmp_path / "log") as child:
            found = end(child, tmp_path / "log")
    start = json.loads((tmp_path / "log").read_text().splitlines()[0])
    assert ["udp4", "in-use", [["udp4", 1434, 1434]]] in start["refused"]
    assert ("udp4", 1434) not in found.bound
    assert ("udp4", 161) in found.bound


@pytest.mark.parametrize("holder", [HOST, "0.0.0.0", "::"])
def test_a_tcp_port_that_somebody_listens_on_is_never_shared(holder: str):
    family = socket.AF_INET6 if ":" in holder else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as other:
        other.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        other.bind((holder, 0))
        other.listen()
        doors, refused = server.open_doors([("tcp", other.getsockname()[1])], [])
        for door in doors:
            door.sock.close()
    assert "tcp4" in {place for place, _, reason in refused if reason == "in-use"}
    assert all("4" not in door.families for door in doors)


def test_it_ends_by_itself_with_signs_of_life(tmp_path: Path):
    log = tmp_path / "log"
    with running(log, "--minutes", "0.01") as child:
        assert child.wait(20) == 0
    found = read_log(log.read_bytes(), KEYS.log)
    assert found.ended_as == "time"
    assert found.signs[-1].until_ms > found.started_ms
    assert not found.local_firewall_open


@pytest.mark.parametrize(
    "options",
    [["--code", CODE, "--minutes", "61"], ["--code", CODE, "--minutes", "0"], ["--code", "short"], []],
    ids=["too-long", "no-time", "short-code", "no-code"],
)
def test_wrong_use_is_refused(options: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.delenv("FLEXISCAN_WITNESS_CODE", raising=False)
    try:
        code = server.main([*options, "--log", str(tmp_path / "log")])
    except SystemExit as stop:
        code = int(stop.code or 0)
    assert code == 2
    assert not (tmp_path / "log").exists()


def test_an_older_log_is_never_overwritten(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    log = tmp_path / "log"
    log.write_text("older")
    assert server.main(["--code", CODE, "--log", str(log)]) == 2
    assert log.read_text() == "older"
    assert "File exists" in capsys.readouterr().err


def test_it_writes_itself_out(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    argv = [sys.executable, "-m", "flexiscan", "witness", "--write", str(tmp_path / "witness.py")]
    assert subprocess.run(argv, timeout=60).returncode == 0
    assert (tmp_path / "witness.py").read_bytes() == FILE.read_bytes()
    assert server.main(["--new-code"]) == 0
    assert wire.witness_keys(capsys.readouterr().out.strip())


def test_answers_have_a_cap():
    memory = server.Memory()
    allowed = sum(memory.may_answer() for _ in range(3 * server.ANSWERS_PER_S))
    assert allowed <= 2 * server.ANSWERS_PER_S  # a second may have ended in between


def test_nonces_are_kept_in_bounded_space(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(server, "MAX_NONCES", 3)
    memory = server.Memory()
    assert [memory.judge(bytes([number])) for number in range(5)] == ["ok"] * 3 + ["replayed"] * 2


def test_where_few_sockets_can_be_waited_for_several_threads_share_them(
    tmp_path: Path, sock: socket.socket, monkeypatch: pytest.MonkeyPatch
):
    """As on Windows: the select() there takes 512 sockets."""
    monkeypatch.setattr(selectors, "DefaultSelector", selectors.SelectSelector)
    monkeypatch.setattr(server, "SHARD", 2)
    doors = [server.Door(server.listening_socket("udp", HOST, 0), "udp", "4", 40000 + number) for number in range(5)]
    log, leaving = tmp_path / "log", server.Leaving()
    journal = server.Journal(str(log), KEYS.log, server.Clock())
    journal.write("start", version=1, run="r", local_firewall_open=True, bound=[["udp4", 40000, 40004]])
    keys = server.derive_keys(CODE)
    watching = threading.Thread(target=server.watch, args=(doors, keys, journal, 1.0, leaving))
    watching.start()
    for door in doors:
        nonce = wire.witness_nonce(KEYS, "run", "udp", HOST, door.port, 0)
        answer = ask_udp(sock, wire.build_question(KEYS, "udp", door.port, nonce), door.sock.getsockname()[1])
        assert wire.read_answer(KEYS, "udp", nonce, answer).port == door.port
    leaving.ask()
    watching.join(20)
    for door in doors:
        door.sock.close()
    journal.close()
    found = read_log(log.read_bytes(), KEYS.log)
    assert sorted(arrival.port for arrival in found.arrivals) == [40000, 40001, 40002, 40003, 40004]
    assert found.ended_as == "interrupted"


def test_on_windows_a_port_that_somebody_holds_on_one_address_is_not_ours(monkeypatch: pytest.MonkeyPatch):
    """There a port of all addresses can be had although somebody holds it on one, who then gets what arrives."""
    taken = []

    def listening_socket(transport: str, address: str, port: int, dual: bool = False) -> socket.socket:
        assert not dual
        taken.append(address)
        if (address, port) == ("192.0.2.10", 161):
            raise OSError(errno.EADDRINUSE, "in use")
        return socket.socket(socket.AF_INET, socket.SOCK_DGRAM)

    monkeypatch.setattr(server, "WINDOWS", True)
    monkeypatch.setattr(server, "own_addresses", lambda: ["127.0.0.1", "192.0.2.10", "::1"])
    monkeypatch.setattr(server, "listening_socket", listening_socket)
    doors, refused = server.open_doors([("udp", 161), ("udp", 69)], [])
    for door in doors:
        door.sock.close()
    assert refused == [("udp4", 161, "in-use")]
    assert sorted((door.families, door.port) for door in doors) == [("4", 69), ("6", 69), ("6", 161)]
    assert taken[:2] == ["127.0.0.1", "192.0.2.10"]


def test_a_machine_knows_its_own_addresses():
    assert {"127.0.0.1", "::1"} <= set(server.own_addresses())
