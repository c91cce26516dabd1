"""The port probes against Kamailio, tftpd-hpa and net-snmp, in a network namespace that leads nowhere."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from flexiscan_lab.programs import find_program

pytestmark = pytest.mark.netns

ROOT = Path(__file__).parents[2]
READY_S = 15.0
V4, V6 = "192.0.2.1", "2001:db8::1"
BOTH = pytest.mark.parametrize("address", [V4, V6])
KAMAILIO = f"""#!KAMAILIO
debug=0
log_stderror=yes
children=1
tcp_children=1
auto_aliases=no
dns=no
rev_dns=no
listen=udp:{V4}:5060
listen=tcp:{V4}:5060
listen=udp:[{V6}]:5060
listen=tcp:[{V6}]:5060
loadmodule "sl.so"
request_route {{ sl_send_reply("403", "Forbidden"); }}
"""


class Namespace:
    """A network namespace with servers in it; everything goes when it is closed."""

    def __init__(self, name: str) -> None:
        self.name = name
        self._servers: list[subprocess.Popen[bytes]] = []
        if subprocess.run(["ip", "netns", "add", name], capture_output=True).returncode != 0:
            pytest.skip("the kernel gives no network namespace")
        for command in (
            ("link", "set", "lo", "up"),
            ("addr", "add", f"{V4}/32", "dev", "lo"),
            ("addr", "add", f"{V6}/128", "dev", "lo"),
        ):
            subprocess.run(["ip", "-n", name, *command], check=True)

    def start(self, *argv: str) -> None:
        quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
        self._servers.append(subprocess.Popen(["ip", "netns", "exec", self.name, *argv], **quiet))  # type: ignore[call-overload]

    def ask(self, transport: str, address: str, port: int, question: str) -> dict[str, Any]:
        argv = ["ip", "netns", "exec", self.name, sys.executable, "-m", "tests.probes.ask_one"]
        path = os.pathsep.join(str(ROOT / folder) for folder in (".", "probes"))
        done = subprocess.run(
            [*argv, transport, address, str(port), question],
            cwd=ROOT,
            env={**os.environ, "PYTHONPATH": path},
            capture_output=True,
            text=True,
            check=True,
        )
        fact: dict[str, Any] = json.loads(done.stdout)
        return fact

    def ask_until_there(self, transport: str, address: str, port: int, question: str) -> dict[str, Any]:
        """Ask again while the server is not listening yet."""
        ends_s = time.monotonic() + READY_S
        while True:
            fact = self.ask(transport, address, port, question)
            is_there = fact.get("connect") == "accepted" or fact.get("reply") == "data"
            if is_there or time.monotonic() > ends_s:
                return fact

    def close(self) -> None:
        for server in self._servers:
            server.terminate()
            server.wait(10)
        subprocess.run(["ip", "netns", "del", self.name], check=True)


def _require(programs: Sequence[str]) -> list[str]:
    if os.geteuid() != 0:
        pytest.skip("needs root for a network namespace")
    found = [find_program(name) for name in programs]
    if None in found:
        pytest.skip(f"needs {', '.join(programs)}")
    return [path for path in found if path]


@pytest.fixture(scope="module")
def servers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Namespace]:
    _, kamailio, tftpd, snmpd = _require(["ip", "kamailio", "in.tftpd", "snmpd"])
    folder = tmp_path_factory.mktemp("servers")
    folder.chmod(0o755)
    (folder / "kamailio.cfg").write_text(KAMAILIO)
    (folder / "snmpd.conf").write_text("rocommunity public\nrocommunity6 public\n")
    (folder / "secret.conf").write_text("rocommunity notpublic\nrocommunity6 notpublic\n")
    (folder / "files").mkdir()
    namespace = Namespace(f"fxports{os.getpid()}")
    try:
        namespace.start(kamailio, "-DD", "-E", "-f", str(folder / "kamailio.cfg"), "-Y", str(folder))
        for address in (f"{V4}:69", f"[{V6}]:69"):
            namespace.start(tftpd, "--foreground", "--address", address, "--secure", str(folder / "files"))
        for name, port in (("snmpd", 161), ("secret", 1161)):
            where = f"udp:{V4}:{port},udp6:[{V6}]:{port}"
            state = folder / name
            state.mkdir()
            namespace.start(
                "env",
                f"SNMP_PERSISTENT_DIR={state}",
                snmpd,
                *("-f", "-Lo", "-C", "-I", "-smux", "-c", str(folder / f"{name}.conf"), where),
            )
        yield namespace
    finally:
        namespace.close()


@BOTH
@pytest.mark.parametrize("transport", ["udp", "tcp"])
def test_kamailio_is_recognised_whatever_its_status(servers: Namespace, transport: str, address: str):
    fact = servers.ask_until_there(transport, address, 5060, "sip")
    assert (fact["reply"], fact["service"]) == ("data", "sip")
    assert bytes.fromhex(fact["data_hex"]).startswith(b"SIP/2.0 403 Forbidden\r\n")


@BOTH
def test_tftpd_answers_from_a_port_of_its_own(servers: Namespace, address: str):
    fact = servers.ask_until_there("udp", address, 69, "tftp")
    assert (fact["reply"], fact["service"]) == ("data", "tftp")
    assert fact["replied_from_port"] != 69


@BOTH
@pytest.mark.parametrize("port", [161, 1161])
def test_snmpd_is_recognised_with_the_known_community_and_without_it(servers: Namespace, port: int, address: str):
    """Where `public` is not allowed only the discovery of version 3 is answered."""
    fact = servers.ask_until_there("udp", address, port, "snmp")
    assert (fact["reply"], fact["service"]) == ("data", "snmp")


@BOTH
def test_a_port_without_a_server_in_the_same_place(servers: Namespace, address: str):
    fact = servers.ask("udp", address, 137, "netbios")
    assert fact["reply"] == "icmp"
    assert servers.ask("tcp", address, 2809, "giop")["connect"] == "reset"
