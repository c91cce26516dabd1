"""The port probes against omniNames, Samba, coturn, xrdp and Kamailio with TLS, in a namespace that leads nowhere."""

from __future__ import annotations

import itertools
import os
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.probes.server_namespace import V4, V6, Namespace, Question, require

pytestmark = [pytest.mark.netns, pytest.mark.scenario]

KAMAILIO = """#!KAMAILIO
debug=0
log_stderror=yes
children=1
tcp_children=1
auto_aliases=no
dns=no
rev_dns=no
enable_tls=yes
listen=tls:{v4}:5061
listen=tls:[{v6}]:5061
loadmodule "tls.so"
loadmodule "sl.so"
modparam("tls", "tls_method", "TLSv1.2")
modparam("tls", "private_key", "{folder}/key.pem")
modparam("tls", "certificate", "{folder}/cert.pem")
request_route {{ sl_send_reply("403", "Forbidden"); }}
"""
SAMBA = """[global]
bind interfaces only = yes
interfaces = {v4}/32 {v6}/128
smb ports = 445
private dir = {folder}
lock directory = {folder}
state directory = {folder}
cache directory = {folder}
pid directory = {folder}
ncalrpc dir = {folder}/ncalrpc
log file = {folder}/samba.log
load printers = no
disable spoolss = yes
"""
XRDP = """[Globals]
ini_version=1
port=tcp6://:3389
security_layer=negotiate
certificate={folder}/cert.pem
key_file={folder}/key.pem
[Logging]
LogFile={folder}/xrdp.log
EnableSyslog=false
[Xorg]
name=Xorg
lib=libxup.so
"""


def start_corba(space: Namespace, folder: Path, program: str) -> None:
    space.start(program, "-start", "2809", "-logdir", str(folder), "-errlog", str(folder / "corba.log"))


def start_samba(space: Namespace, folder: Path, program: str) -> None:
    (folder / "smb.conf").write_text(SAMBA.format(folder=folder, v4=V4, v6=V6))
    space.start(program, "--foreground", "--no-process-group", f"--configfile={folder}/smb.conf")


def start_stun(space: Namespace, folder: Path, program: str) -> None:
    files = ("--pidfile", str(folder / "turn.pid"), "--userdb", str(folder / "turn.db"), "--log-file", "stdout")
    space.start(program, "-n", "-L", V4, "-L", V6, "-S", "--no-tls", "--no-dtls", "--no-cli", *files)


def start_remote_desktop(space: Namespace, folder: Path, program: str) -> None:
    (folder / "xrdp.ini").write_text(XRDP.format(folder=folder))
    space.start(program, "--nodaemon", "--config", str(folder / "xrdp.ini"))


def start_sip_over_tls(space: Namespace, folder: Path, program: str) -> None:
    (folder / "kamailio.cfg").write_text(KAMAILIO.format(folder=folder, v4=V4, v6=V6))
    space.start(program, "-DD", "-E", "-f", str(folder / "kamailio.cfg"), "-Y", str(folder))


Server = tuple[str, str, int, Callable[[Namespace, Path, str], None], tuple[tuple[str, str | None], ...]]
SERVERS: dict[str, Server] = {
    "CORBA": ("omniNames", "tcp", 2809, start_corba, (("giop", "giop"), ("tls", None))),
    "Samba": ("smbd", "tcp", 445, start_samba, (("smb", "smb"), ("http", None))),
    "STUN": ("turnserver", "udp", 3478, start_stun, (("stun", "stun"),)),
    "Remote Desktop": ("xrdp", "tcp", 3389, start_remote_desktop, (("rdp", "rdp"),)),
    "SIP over TLS": ("kamailio", "tcp", 5061, start_sip_over_tls, (("tls", "tls"), ("inside-sip", "sip"))),
}
"""Program, transport, port, how it is started, and which service each question brings out."""


def _make_certificate(folder: Path, openssl: str) -> None:
    files = ("-keyout", str(folder / "key.pem"), "-out", str(folder / "cert.pem"))
    argv = [openssl, "req", "-x509", "-newkey", "rsa:2048", "-nodes", *files, "-days", "2", "-subj", "/CN=lab"]
    subprocess.run(argv, check=True, capture_output=True)


def _has_kamailio_tls() -> bool:
    return any(Path("/usr/lib").glob("*/kamailio/modules/tls.so"))


def _questions(*, answered: bool) -> list[Question]:
    return [
        (transport, address, port, question)
        for (_, transport, port, _, questions), address in itertools.product(SERVERS.values(), (V4, V6))
        for question, service in questions
        if (service is not None) == answered
    ]


@pytest.fixture(scope="module")
def facts(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[Question, dict[str, Any]]]:
    programs = [program for program, *_ in SERVERS.values()]
    _, openssl, *found = require(["ip", "openssl", *programs])
    if not _has_kamailio_tls():
        pytest.skip("needs kamailio-tls-modules")
    folder = tmp_path_factory.mktemp("servers")
    folder.chmod(0o755)
    _make_certificate(folder, openssl)
    space = Namespace(f"fxserv{os.getpid()}")
    try:
        for (_, _, _, start, _), program in zip(SERVERS.values(), found, strict=True):
            start(space, folder, program)
        known, strange = _questions(answered=True), _questions(answered=False)
        yield space.ask_all_until_there(known) | dict(zip(strange, space.ask_all(strange), strict=True))
    finally:
        space.close()


@pytest.mark.parametrize("address", [V4, V6])
@pytest.mark.parametrize(
    ("name", "question", "service"),
    [(name, question, service) for name, (*_, questions) in SERVERS.items() for question, service in questions],
)
def test_a_real_server_is_what_it_says_and_nothing_else(
    facts: dict[Question, dict[str, Any]], name: str, question: str, service: str | None, address: str
):
    _, transport, port, _, _ = SERVERS[name]
    fact = facts[transport, address, port, question]
    assert fact["service"] == service
    if service is not None:
        assert fact["reply"] == "data"
        assert fact.get("inside_tls", False) == question.startswith("inside-")
