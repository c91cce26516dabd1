"""The port probes against Kamailio, tftpd-hpa and net-snmp, in a network namespace that leads nowhere."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest

from tests.probes.server_namespace import V4, V6, Namespace, require

pytestmark = pytest.mark.netns

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


@pytest.fixture(scope="module")
def servers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Namespace]:
    _, kamailio, tftpd, snmpd = require(["ip", "kamailio", "in.tftpd", "snmpd"])
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
