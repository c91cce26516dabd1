"""The TLS probes against other implementations: tlslite-ng (SSL 3.0), scripted SSL 2.0, nginx; the second engine."""

from __future__ import annotations

import asyncio
import contextlib
import shutil
import socket
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from flexiscan.model.facts_tls import TlsSecondOpinion
from flexiscan.model.tls_suites import suite_of
from tests.codec.other_tls import HandshakeSettings, TLSConnection, X509CertChain, parsePEMKey
from tests.probes.test_tls_on_loopback import ask, chain, server_context
from tests.probes.tls_drive import Drive
from tests.probes.tls_servers import (
    Handle,
    after_hello,
    hold,
    offered_version,
    peek_hello,
    serve,
    speak_tls,
    write_pem,
)

NGINX = shutil.which("nginx")
SSL2_HELLO = b"\x04\x00\x01\x00\x02" + b"\x00\x04\x00\x06\x00\x10" + b"cert" + bytes.fromhex("010080020080") + bytes(16)


def other_server(folder: Path, lowest: tuple[int, int], highest: tuple[int, int], **wishes: Any) -> Handle:
    """A tlslite-ng server: it speaks SSL 3.0, RC4 and 3DES."""
    chain_path, key_path = write_pem(folder, chain()[0])
    certificates = X509CertChain()
    certificates.parsePemList(chain_path.read_text())
    key = parsePEMKey(key_path.read_text(), private=True)
    settings = HandshakeSettings()
    settings.minVersion, settings.maxVersion = lowest, highest
    settings.versions = [v for v in settings.versions if lowest <= v <= highest] or [highest]
    settings.macNames = ["sha", "sha256", "sha384", "aead", "md5"]
    for name, value in wishes.items():
        setattr(settings, name, value)

    def handle(connection: socket.socket) -> None:
        session = TLSConnection(connection)
        with contextlib.suppress(Exception):
            session.handshakeServer(certChain=certificates, privateKey=key, settings=settings)
            session.read(max=4096, min=0)

    return handle


@pytest.mark.parametrize("address", ["127.0.0.1", "::1"])
async def test_ssl3_only(address: str, tmp_path: Path) -> None:
    handle = other_server(tmp_path, (3, 0), (3, 0), cipherNames=["rc4", "3des", "aes128"])
    drive = await ask(address, handle)
    shown = drive.shown()
    assert shown["tls.sslv3-refused"] == "fail offered"
    assert shown["tls.modern-offered"] == "fail only-old"
    assert shown["tls.ciphers-strong"] == "fail weak-offered"
    assert shown["tls.tls10-refused"].split()[0] == "pass"
    assert {0x0005, 0x000A, 0x002F} <= drive.suites("SSLv3")
    assert shown["cert.trusted"] == "pass trusted"


async def test_ssl3_beside_modern_versions(tmp_path: Path) -> None:
    drive = await ask("127.0.0.1", other_server(tmp_path, (3, 0), (3, 3), cipherNames=["aes128", "aes128gcm"]))
    shown = drive.shown()
    assert {rule for rule, text in shown.items() if text == "fail offered"} == {
        "tls.sslv3-refused",
        "tls.tls10-refused",
        "tls.tls11-refused",
    }
    assert shown["tls.modern-offered"] == "pass offered"


async def test_the_other_implementation_in_a_modern_dress(tmp_path: Path) -> None:
    drive = await ask("127.0.0.1", other_server(tmp_path, (3, 3), (3, 4), cipherNames=["aes128gcm", "aes256gcm"]))
    shown = drive.shown("tls.sslv3-refused", "tls.tls10-refused", "tls.tls11-refused", "tls.modern-offered")
    assert {text.split()[0] for text in shown.values()} == {"pass"}
    agreed = [suite for suite in map(suite_of, drive.suites("TLSv1.2")) if suite]
    assert {suite.aead for suite in agreed} == {True}


async def test_ssl2_behind_a_modern_server(tmp_path: Path) -> None:
    context = server_context(tmp_path, ciphers="ECDHE+AESGCM")
    answer = after_hello(
        lambda connection, hello: connection.sendall((0x8000 | len(SSL2_HELLO)).to_bytes(2, "big") + SSL2_HELLO)
    )

    def handle(connection: socket.socket) -> None:
        (answer if offered_version(peek_hello(connection)) == 2 else speak_tls(context))(connection)

    drive = await ask("127.0.0.1", handle)
    finding = drive.findings()["tls.sslv2-refused"]
    assert (finding.verdict, finding.result) == ("fail", "offered")
    weak = drive.findings()["tls.ciphers-strong"]
    assert weak.params["suites"] == ["SSL_CK_RC4_128_WITH_MD5", "SSL_CK_RC4_128_EXPORT40_WITH_MD5"]


@contextlib.asynccontextmanager
async def nginx(folder: Path, protocols: str, ciphers: str) -> AsyncIterator[int]:
    """A real nginx with one worker; its files stand in `folder`."""
    assert NGINX is not None
    chain_path, key_path = write_pem(folder, chain()[0])
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    (folder / "nginx.conf").write_text(
        f"""
        daemon off; master_process off; pid {folder}/pid; error_log stderr crit;
        events {{ worker_connections 256; }}
        http {{
          access_log off; client_body_temp_path {folder}/b; proxy_temp_path {folder}/p; fastcgi_temp_path {folder}/f;
          uwsgi_temp_path {folder}/u; scgi_temp_path {folder}/s;
          server {{
            listen 127.0.0.1:{port} ssl; listen [::1]:{port} ssl;
            ssl_certificate {chain_path}; ssl_certificate_key {key_path};
            ssl_protocols {protocols}; ssl_ciphers {ciphers}:@SECLEVEL=0;
          }}
        }}"""
    )
    process = await asyncio.create_subprocess_exec(
        NGINX, "-e", "stderr", "-c", str(folder / "nginx.conf"), stderr=asyncio.subprocess.DEVNULL
    )
    try:
        async with asyncio.timeout(20):
            while not await _accepts(port):
                assert process.returncode is None, "nginx did not start"
        yield port
    finally:
        process.terminate()
        await process.wait()


async def _accepts(port: int) -> bool:
    try:
        _, writer = await asyncio.open_connection("127.0.0.1", port)
    except OSError:
        await asyncio.sleep(0.01)
        return False
    writer.close()
    return True


@pytest.mark.skipif(NGINX is None, reason="nginx is not installed")
async def test_nginx_as_the_guide_wants_it(tmp_path: Path) -> None:
    async with nginx(tmp_path, "TLSv1.2 TLSv1.3", "ECDHE+AESGCM") as port:
        for address in ("127.0.0.1", "::1"):
            drive = await Drive(address, port, options={"trust_anchors_pem": chain()[1]}).ask()
            shown = {rule: text for rule, text in drive.shown().items() if rule.startswith("tls.")}
            assert {text.split()[0] for text in shown.values()} == {"pass"}, shown
            assert drive.suites("TLSv1.2") == {0xC02F, 0xC030}


@pytest.mark.skipif(NGINX is None, reason="nginx is not installed")
async def test_nginx_as_it_should_not_be(tmp_path: Path) -> None:
    async with nginx(tmp_path, "TLSv1 TLSv1.1 TLSv1.2", "ALL:!aNULL:!eNULL") as port:
        drive = await Drive("127.0.0.1", port, second_opinion="full").ask(deadline_s=150)
    shown = drive.shown("tls.sslv3-refused", "tls.tls10-refused", "tls.tls11-refused", "tls.tls13-offered")
    assert [text.split()[0] for text in shown.values()] == ["pass", "fail", "fail", "fail"]
    [opinion] = opinions(drive)
    assert opinion.reached
    assert {version: opinion.versions[version] for version in ("TLSv1.0", "TLSv1.1", "TLSv1.2")} == {
        "TLSv1.0": True,
        "TLSv1.1": True,
        "TLSv1.2": True,
    }
    assert not any(opinion.versions[version] for version in ("SSLv2", "SSLv3", "TLSv1.3"))


def opinions(drive: Drive) -> list[TlsSecondOpinion]:
    return [o.outcome for o in drive.observations.values() if isinstance(o.outcome, TlsSecondOpinion)]


@pytest.mark.parametrize("address", ["127.0.0.1", "::1"])
async def test_the_second_engine_answers_from_its_own_process(address: str, tmp_path: Path) -> None:
    handle = speak_tls(server_context(tmp_path, ciphers="ECDHE+AESGCM"))
    drive = await ask(address, handle, second_opinion="standard")
    [opinion] = opinions(drive)
    assert opinion.reached, opinion.detail
    assert opinion.highest_version == "TLSv1.3"
    assert opinion.leaf_sha256 == drive.findings()["cert.trusted"].params["sha256"]
    assert opinion.answers["heartbleed"] is False
    assert opinion.answers["compression"] is False
    assert opinion.answers["secure_renegotiation"] is True
    assert {"certificate_info", "robot", "tls_fallback_scsv"} <= set(opinion.commands)
    assert opinion.versions == {}


async def test_a_second_engine_that_is_met_by_silence_is_an_opinion_not_reached(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It hangs until its process is killed; nothing is refused by that, and nothing else is lost."""
    monkeypatch.setattr("flexiscan_probes.tls_second_opinion.STANDARD_DEADLINE_S", 2.0)
    context = server_context(tmp_path, ciphers="ECDHE+AESGCM")
    ours = iter(range(100))

    def handle(connection: socket.socket) -> None:
        (speak_tls(context) if next(ours) < 30 else hold)(connection)

    drive = await ask("127.0.0.1", handle, second_opinion="standard")
    [opinion] = opinions(drive)
    assert not opinion.reached
    assert opinion.versions == {}
    assert set(drive.shown("tls.sslv3-refused", "tls.tls10-refused").values()) == {"pass refused"}


async def test_the_second_engine_cannot_leave_the_scope(tmp_path: Path) -> None:
    """Its process stands behind the same wall: another loopback address is as far away as the moon."""
    with serve("127.0.0.1", speak_tls(server_context(tmp_path))) as port:
        drive = Drive("127.0.0.1", port)
        async with drive._context() as context:
            answer = await context.ask_worker(
                "flexiscan_probes.sslyze_worker",
                {"address": "127.0.0.2", "port": port, "server_name": None, "depth": "standard", "connections": 1},
                timeout_s=30,
            )
    assert answer["reached"] is False
