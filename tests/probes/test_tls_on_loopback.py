"""The TLS probes over real sockets: servers that speak, refuse, hang up, hang, drip and lie, on both families."""

from __future__ import annotations

import asyncio
import socket
import ssl
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from flexiscan.model.facts_tls import CertificateChain
from tests.codec.other_tls import FFDHE2048
from tests.policy.cert_chains import HOST, NOW, Issued, intermediate, leaf, root
from tests.probes.tls_drive import Drive
from tests.probes.tls_servers import (
    Handle,
    after_hello,
    hold,
    offered_version,
    openssl_context,
    peek_hello,
    reset,
    serve,
    speak_tls,
    write_dh_group,
)

EACH = pytest.mark.parametrize("address", ["127.0.0.1", "::1"])
REFUSED = ("tls.sslv2-refused", "tls.sslv3-refused", "tls.tls10-refused", "tls.tls11-refused")
HTTP_REFUSAL = b"HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n"


def say(data: bytes) -> Callable[[socket.socket, bytes], None]:
    return lambda connection, hello: connection.sendall(data)


def chain() -> tuple[list[Issued], str]:
    top = root("RSA root", key_kind="rsa2048")
    middle = intermediate(top, "RSA intermediate", key_kind="rsa2048")
    return [leaf(middle, key_name="RSA leaf", key_kind="rsa2048"), middle], top.pem


def server_context(folder: Path, **kind: Any) -> ssl.SSLContext:
    return openssl_context(folder, chain()[0], **kind)


async def ask(address: str, handle: Handle, **fields: Any) -> Drive:
    options = {"trust_anchors_pem": chain()[1], "trust_store": "test"}
    with serve(address, handle) as port:
        return await Drive(address, port, options=options, now=NOW, **fields).ask()


@EACH
async def test_a_modern_server_passes(address: str, tmp_path: Path) -> None:
    drive = await ask(address, speak_tls(server_context(tmp_path, ciphers="ECDHE+AESGCM:ECDHE+CHACHA20")))
    assert {text.split()[0] for text in drive.shown().values()} == {"pass"}, drive.shown()
    assert len(drive.replies) <= 32
    assert drive.suites("TLSv1.2") == {0xC02F, 0xC030, 0xCCA8}
    assert drive.suites("TLSv1.3") == {0x1301, 0x1302, 0x1303}


@EACH
async def test_everything_that_openssl_has_is_found(address: str, tmp_path: Path) -> None:
    context = server_context(tmp_path, lowest="TLSv1", ciphers="ALL:COMPLEMENTOFALL")
    context.load_dh_params(str(write_dh_group(tmp_path, FFDHE2048)))
    drive = await ask(address, speak_tls(context))
    assert drive.shown("tls.tls10-refused", "tls.tls11-refused", "tls.ciphers-strong") == {
        "tls.tls10-refused": "fail offered",
        "tls.tls11-refused": "fail offered",
        "tls.ciphers-strong": "fail weak-offered",
    }
    weak = drive.findings()["tls.ciphers-strong"].params
    assert weak["complete"] is True
    assert {"null", "anonymous"} <= set(weak["why"])
    # Every suite that this OpenSSL can use with an RSA certificate and no pre-shared key, by its own list.
    usable = {
        cipher["id"] & 0xFFFF
        for cipher in context.get_ciphers()
        if cipher["auth"] in ("auth-rsa", "auth-null") and cipher["kea"] in ("kx-rsa", "kx-ecdhe", "kx-dhe")
    }
    assert drive.suites("TLSv1.2") == {number for number in usable if number >> 8 != 0x13}
    assert {reply.dh_bits for reply in drive.replies} == {None, 2048}


@pytest.mark.parametrize(("only", "version"), [("TLSv1", "TLSv1.0"), ("TLSv1_1", "TLSv1.1")])
async def test_a_server_with_one_old_version(only: str, version: str, tmp_path: Path) -> None:
    drive = await ask("127.0.0.1", speak_tls(server_context(tmp_path, lowest=only, highest=only)))
    assert drive.suites(version)
    shown = drive.shown()
    assert shown["tls.modern-offered"] == "fail only-old"
    assert sum(text == "fail offered" for text in shown.values()) == 1
    assert shown["cert.trusted"] == "pass trusted"


async def test_tls13_only_shows_its_certificate_through_a_handshake(tmp_path: Path) -> None:
    drive = await ask("127.0.0.1", speak_tls(server_context(tmp_path, lowest="TLSv1_3")))
    facts = [o.outcome for o in drive.observations.values() if isinstance(o.outcome, CertificateChain)]
    assert [(len(fact.chain_der_b64), fact.version) for fact in facts] == [(2, "TLSv1.3")]
    assert {text.split()[0] for text in drive.shown().values()} == {"pass"}


@pytest.mark.parametrize(
    ("ciphers", "sign"), [("aNULL", "anonymous"), ("eNULL", "null")], ids=["anonymous", "without encryption"]
)
async def test_servers_with_nothing_but_weak_suites(ciphers: str, sign: str, tmp_path: Path) -> None:
    drive = await ask("127.0.0.1", speak_tls(server_context(tmp_path, highest="TLSv1_2", ciphers=ciphers)))
    finding = drive.findings()["tls.ciphers-strong"]
    assert (finding.verdict, finding.result) == ("fail", "weak-offered")
    assert sign in finding.params["why"]


async def test_a_client_certificate_that_is_required_is_noted_and_in_nobodys_way(tmp_path: Path) -> None:
    context = server_context(tmp_path, ciphers="ECDHE+AESGCM")
    context.verify_mode = ssl.CERT_REQUIRED
    context.load_verify_locations(cadata=chain()[1])
    drive = await ask("127.0.0.1", speak_tls(context))
    assert {text.split()[0] for text in drive.shown().values()} == {"pass"}
    assert any(reply.client_certificate_requested for reply in drive.replies)


async def test_a_server_that_wants_a_known_name_gets_it(tmp_path: Path) -> None:
    context = server_context(tmp_path, ciphers="ECDHE+AESGCM")

    def by_name(session: ssl.SSLObject, name: str | None, _: ssl.SSLContext) -> int | None:
        return None if name == HOST else ssl.ALERT_DESCRIPTION_UNRECOGNIZED_NAME

    context.sni_callback = by_name
    known = await ask("127.0.0.1", speak_tls(context))
    stranger = await ask("127.0.0.1", speak_tls(context), host="stranger.example.test")
    assert {text.split()[0] for text in known.shown().values()} == {"pass"}
    assert set(stranger.shown(*REFUSED).values()) == {"inconclusive server-name-refused"}


@EACH
@pytest.mark.parametrize("ending", [reset, lambda connection, hello: connection.close()], ids=["reset", "close"])
async def test_hanging_up_on_old_hellos_is_a_refusal_when_it_happens_every_time(
    address: str, ending: Callable[[socket.socket, bytes], None], tmp_path: Path
) -> None:
    context = server_context(tmp_path, ciphers="ECDHE+AESGCM")

    def handle(connection: socket.socket) -> None:
        if offered_version(peek_hello(connection)) < 0x0303:
            ending(connection, connection.recv(4096))
        else:
            speak_tls(context)(connection)

    drive = await ask(address, handle)
    assert set(drive.shown(*REFUSED).values()) == {"pass refused-by-drop"}


async def test_silence_on_old_hellos_is_no_refusal(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("flexiscan_probes.tls_exchange.ANSWER_TIMEOUT_S", 0.3)
    context = server_context(tmp_path)

    def handle(connection: socket.socket) -> None:
        old = offered_version(peek_hello(connection)) < 0x0303
        (hold if old else speak_tls(context))(connection)

    drive = await ask("127.0.0.1", handle)
    assert set(drive.shown(*REFUSED).values()) == {"inconclusive silent"}
    assert drive.shown("tls.modern-offered")["tls.modern-offered"] == "pass offered"


@EACH
@pytest.mark.parametrize(
    ("action", "expected"),
    [
        (hold, "inconclusive silent"),
        (reset, "inconclusive no-common-ground"),
        (lambda connection, hello: connection.close(), "inconclusive no-common-ground"),
        (say(b"\x15\x03\x03\x00\x02\x02\x28"), "inconclusive no-common-ground"),
        (say(b"SSH-2.0-OpenSSH_9.2\r\n"), "inconclusive not-tls"),
        (say(bytes(range(256)) * 40), "inconclusive not-tls"),
        (say(HTTP_REFUSAL), "not_applicable plain-http"),
    ],
    ids=["tarpit", "reset", "close", "alert", "ssh", "garbage", "http"],
)
async def test_servers_that_never_shake_hands(
    address: str, action: Callable[[socket.socket, bytes], None], expected: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("flexiscan_probes.tls_exchange.ANSWER_TIMEOUT_S", 0.3)
    drive = await ask(address, after_hello(action))
    assert set(drive.shown(*REFUSED, "tls.ciphers-strong").values()) == {expected}
    if expected.endswith("plain-http"):
        assert drive.shown("tls.modern-offered", "cert.trusted") == {
            "tls.modern-offered": "fail plain-http",
            "cert.trusted": "fail plain-http",
        }


async def test_a_closed_port_serves_nothing() -> None:
    with socket.socket() as placeholder:
        placeholder.bind(("127.0.0.1", 0))
        drive = await Drive("127.0.0.1", placeholder.getsockname()[1]).ask()
    assert set(drive.shown(*REFUSED).values()) == {"not_applicable not-served"}


@pytest.mark.parametrize("mode", [hold, reset], ids=["stalls", "resets"])
@pytest.mark.parametrize("limit", [3, 9, 15, 22])
async def test_a_limiter_hides_nothing(
    mode: Callable[[socket.socket], None], limit: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The server really offers TLS 1.0 and 1.1, but stops answering after a number of connections."""
    monkeypatch.setattr("flexiscan_probes.tls_exchange.ANSWER_TIMEOUT_S", 0.3)
    context = server_context(tmp_path, lowest="TLSv1")
    count = iter(range(10_000))

    def handle(connection: socket.socket) -> None:
        (mode if next(count) >= limit else speak_tls(context))(connection)

    drive = await ask("127.0.0.1", handle)
    shown = drive.shown("tls.tls10-refused", "tls.tls11-refused", "tls.ciphers-strong")
    assert not any(text.startswith("pass") for text in shown.values())


@pytest.mark.oracle
async def test_openssl_s_client_sees_the_same_suites(tmp_path: Path) -> None:
    """Suite by suite with another client: what we list it agrees on, and nothing that we do not list."""
    context = server_context(tmp_path, ciphers="AES128+kECDHE:AES256-SHA:!SHA256:!SHA384", highest="TLSv1_2")
    with serve("127.0.0.1", speak_tls(context)) as port:
        drive = await Drive("127.0.0.1", port).ask()
        client = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        client.set_ciphers("ALL:COMPLEMENTOFALL:@SECLEVEL=0")
        for cipher in client.get_ciphers():
            if cipher["protocol"] == "TLSv1.3" or cipher["auth"] in ("auth-psk", "auth-srp"):
                continue
            command = ["openssl", "s_client", "-connect", f"127.0.0.1:{port}", "-tls1_2", "-cipher"]
            agreed = await asyncio.to_thread(succeeds, [*command, f"{cipher['name']}:@SECLEVEL=0"])
            assert agreed == (cipher["id"] & 0xFFFF in drive.suites("TLSv1.2")), cipher["name"]


def succeeds(command: list[str]) -> bool:
    return subprocess.run(command, input=b"", capture_output=True, check=False).returncode == 0
