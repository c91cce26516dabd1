"""Half-open questions, ICMP errors and the capture, on loopback and behind a real firewall."""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
import socket
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from flexiscan.model.facts_raw import IcmpCapture, PacketCapture
from flexiscan.net.link import CannotLook
from flexiscan.net.wall import ScopeWall, open_target
from tests.net.netns import DROPPED, FIREWALL, PROHIBITED, RESET, TARGET, ground
from tests.net.raw.helper_run import asking, free_port, needs_raw_sockets
from tests.net.raw.packets import MEDIA

pytestmark = needs_raw_sockets

LOOPBACKS = ["127.0.0.1", "::1"]
READ_WITH_SCAPY = """
import sys
from scapy.layers.inet import IP
from scapy.layers.inet6 import IPv6
from scapy.utils import rdpcap
for packet in rdpcap(sys.argv[1]):
    print(packet.summary())
"""


def wall_for(*addresses: str) -> ScopeWall:
    return ScopeWall([opening for address in addresses for opening in open_target(address)])


def listener(address: str) -> socket.socket:
    return socket.create_server((address, 0), family=socket.AF_INET6 if ":" in address else socket.AF_INET)


@pytest.mark.parametrize("address", LOOPBACKS)
async def test_a_listener_and_a_closed_port(address: str):
    with listener(address) as server:
        server.setblocking(False)
        async with asking(wall_for(address)) as run:
            opened = await run.ask(address, server.getsockname()[1])
            closed = await run.ask(address, free_port(address))
        with pytest.raises(BlockingIOError):
            server.accept()
    assert (opened.state, closed.state) == ("accepted", "reset")
    answer = opened.answers[0]
    assert answer.hop_limit == 64
    assert answer.window is not None
    assert answer.options[0].startswith("MSS=")
    assert (answer.ip_id is None) == (":" in address)


async def test_side_by_side_each_gets_its_own_answer():
    with listener("127.0.0.1") as server:
        ports = [server.getsockname()[1], *(free_port("127.0.0.1") for _ in range(9))]
        async with asking(wall_for("127.0.0.1")) as run:
            probes = await asyncio.gather(*(run.ask("127.0.0.1", port) for port in ports))
    assert [probe.state for probe in probes] == ["accepted", *["reset"] * 9]


async def test_out_of_scope_is_a_failure_of_ours():
    async with asking(wall_for("127.0.0.1")) as run:
        with pytest.raises(CannotLook) as caught:
            await run.ask("127.0.0.2", 80)
        run.wall = wall_for("127.0.0.1", "127.0.0.2")
        with pytest.raises(CannotLook) as by_helper:
            await run.ask("127.0.0.2", 80)
        assert (await run.ask("127.0.0.1", free_port("127.0.0.1"))).state == "reset"
    assert caught.value.reason == by_helper.value.reason == "outside-scope"


async def test_nobody_waits_for_a_helper_that_died(tmp_path: Path):
    capture = tmp_path / "packets.pcap"
    async with asking(wall_for("127.0.0.1"), capture) as run:
        await run.ask("127.0.0.1", free_port("127.0.0.1"))
        os.kill(run.link.process_id, signal.SIGKILL)
        with pytest.raises(CannotLook) as caught:
            await run.ask("127.0.0.1", free_port("127.0.0.1"))
        summary = await run.link.finish()
    assert caught.value.reason == "worker-died"
    assert (summary.file, summary.is_whole) == ("packets.pcap", False)
    assert summary.packets >= 2
    assert summary.size_bytes == capture.stat().st_size


async def test_a_capture_is_never_overwritten(tmp_path: Path):
    (tmp_path / "packets.pcap").write_bytes(b"of another run")
    with pytest.raises(FileExistsError):
        async with asking(wall_for("127.0.0.1"), tmp_path / "packets.pcap"):
            pass
    assert (tmp_path / "packets.pcap").read_bytes() == b"of another run"


@pytest.mark.netns
def test_the_capture_holds_both_families_and_no_voice(tmp_path: Path):
    """In a namespace of its own: on a shared loopback others talk too."""
    path = tmp_path / "packets.pcap"
    with ground() as places:
        errors, summary = places.scanner.run_async(lambda: _voice_on_loopback(path))
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert (summary.is_whole, summary.is_capped, summary.lost, summary.left_out) == (True, False, 0, 0)
    assert summary.size_bytes == path.stat().st_size
    assert b"somebody" not in path.read_bytes()
    assert MEDIA[:12] in path.read_bytes()
    for capture in errors:
        assert [(note.icmp.meaning, note.quoted.port, note.count) for note in capture.notes] == [
            ("port-unreachable", 44444, 1)
        ]
    assert summary.packets == 8
    _read_with_scapy(path)
    _read_with_tcpdump(path)


async def _voice_on_loopback(path: Path) -> tuple[list[IcmpCapture], PacketCapture]:
    async with asking(wall_for(*LOOPBACKS), path) as run:
        for address in LOOPBACKS:
            await run.ask(address, free_port(address))
            family = socket.AF_INET6 if ":" in address else socket.AF_INET
            with socket.socket(family, socket.SOCK_DGRAM) as telephone:
                telephone.sendto(MEDIA, (address, 44444))
        errors = [await run.link.icmp_errors(address) for address in LOOPBACKS]
        return errors, await run.link.finish()


def _read_with_scapy(path: Path) -> None:
    """In a process of its own: the tests load the second TLS engine too (docs/licences.md)."""
    lines = subprocess.run(
        [sys.executable, "-c", READ_WITH_SCAPY, str(path)], capture_output=True, text=True, check=True, timeout=60
    ).stdout.splitlines()
    assert len(lines) == 8
    assert [line.split()[-1] for line in lines if " / TCP " in line] == ["S", "RA", "S", "RA"]


def _read_with_tcpdump(path: Path) -> None:
    tcpdump = shutil.which("tcpdump") or shutil.which("tcpdump", path="/usr/sbin:/sbin")
    if tcpdump is None:
        return
    shown = subprocess.run([tcpdump, "-nr", str(path)], capture_output=True, text=True, check=True, timeout=60)
    lines = shown.stdout.splitlines()
    assert [line.split("Flags ")[1].split(",")[0] for line in lines if "Flags" in line] == ["[S]", "[R.]"] * 2
    assert sum("IP6" in line for line in lines) == 4


@pytest.mark.netns
@pytest.mark.scenario
@pytest.mark.parametrize("family", ["ipv4", "ipv6"])
def test_a_firewall_shows_in_the_headers(family: str):
    """A reset that the firewall forged comes from nearer than the host's own; an ICMP error quotes our SYN."""
    target = TARGET[family]

    async def inside() -> None:
        async with asking(wall_for(target)) as run:
            ports = (9, RESET, PROHIBITED, DROPPED)
            own, forged, refused, silent = await asyncio.gather(*(run.ask(target, port) for port in ports))
            errors = await run.link.icmp_errors(target)
        assert (own.state, forged.state, refused.state, silent.state) == ("reset", "reset", "icmp", "silence")
        assert (silent.tries, silent.answers) == (5, ())
        assert silent.waited_s >= 5.0
        assert own.answers[0].hop_limit == 63
        assert forged.answers[0].hop_limit == 64
        error, quoted = refused.answers[0].icmp, refused.answers[0].quoted
        assert error is not None
        assert quoted is not None
        assert (error.meaning, error.offender) == ("prohibited", FIREWALL[family])
        assert (quoted.transport, quoted.port, quoted.length_bytes) == (
            "tcp",
            PROHIBITED,
            60 if family == "ipv4" else 80,
        )
        assert [note.icmp for note in errors.notes] == [error]

    with ground() as places:
        places.scanner.run_async(inside)
