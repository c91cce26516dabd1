"""TLS and certificates of the scenarios, met by OpenSSL and tlslite-ng clients in the scanner's place."""

from __future__ import annotations

import json
import sys

import pytest

from flexiscan_lab.lab import Lab
from flexiscan_lab.scenarios import ALL
from tests.lab.visiting import ADDRESSES, get, visit

pytestmark = [pytest.mark.netns, pytest.mark.scenario]  # many labs, one after the other
SSL3_CLIENT = """
import json, socket, sys
from tlslite.api import HandshakeSettings, TLSConnection
seen = []
for address in json.loads(sys.argv[1]):
    settings = HandshakeSettings()
    settings.minVersion = settings.maxVersion = (3, 0)
    settings.versions = [(3, 0)]
    settings.cipherNames = ["aes128", "aes256", "3des"]
    settings.macNames = ["sha"]
    tls = TLSConnection(socket.create_connection((address, 443), 5))
    try:
        tls.handshakeClientCert(settings=settings)
        tls.send(b"GET /Presentity/ HTTP/1.1\\r\\nHost: flexi.example.test\\r\\n\\r\\n")
        page = b""
        while b"</html>" not in page:
            page += tls.recv(60000)
        seen.append([tls.getVersionName(), page.decode()])
    except Exception as error:
        seen.append([type(error).__name__, ""])
print(json.dumps(seen))
"""
OLD = ("TLSv1", "TLSv1_1")
NEW = ("TLSv1_2", "TLSv1_3")


def versions(lab: Lab, address: str) -> list[str]:
    """The versions with which a client of that version alone got a page."""
    seen = visit(lab, *(get(address, "/", version=version, timeout_s=1.0) for version in (*OLD, *NEW)))
    return [version for version, one in zip((*OLD, *NEW), seen, strict=True) if one["data"]]


@pytest.mark.parametrize(
    ("name", "offered4", "offered6"),
    [
        ("hardened", NEW, NEW),
        ("as_delivered", (*OLD, "TLSv1_2"), (*OLD, "TLSv1_2")),
        ("only_tls11_offered", OLD, OLD),
        ("tls10_offered_over_ipv6_only", NEW, (*OLD, *NEW)),
        ("old_hellos_get_no_answer", NEW, NEW),
        ("sslv3_offered", NEW, NEW),
    ],
)
def test_versions(name: str, offered4: tuple[str, ...], offered6: tuple[str, ...]) -> None:
    with Lab.start(ALL[name]) as lab:
        assert versions(lab, ADDRESSES[0]) == list(offered4)
        assert versions(lab, ADDRESSES[1]) == list(offered6)


def test_old_hellos_are_refused_or_ignored() -> None:
    step = get(ADDRESSES[0], "/", version="TLSv1", timeout_s=0.5)
    with Lab.start(ALL["hardened"]) as lab:
        (refused,) = visit(lab, step)
    with Lab.start(ALL["old_hellos_get_no_answer"]) as lab:
        (ignored,) = visit(lab, step)
    assert "alert protocol version" in refused["why"]
    assert "timed out" in ignored["why"]


def test_ssl3_is_really_spoken() -> None:
    pytest.importorskip("tlslite")
    with Lab.start(ALL["sslv3_offered"]) as lab:
        argv = [sys.executable, "-W", "ignore", "-c", SSL3_CLIENT, json.dumps(ADDRESSES)]
        done = lab.run(argv, capture_output=True, text=True)
    seen = json.loads(done.stdout)
    assert [version for version, _ in seen] == ["SSL 3.0", "SSL 3.0"]
    assert ["<title>Presentity</title>" in page for _, page in seen] == [True, True], seen


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("certificate_expired", "certificate has expired"),
        ("certificate_not_yet_valid", "certificate is not yet valid"),
        ("certificate_self_signed", "self-signed certificate"),
        ("certificate_wrong_name", "Hostname mismatch"),
        ("certificate_chain_incomplete", "unable to get local issuer certificate"),
        ("certificate_key_weak", "EE certificate key too weak"),
        ("certificate_signed_with_sha1", "CA signature digest algorithm too weak"),
    ],
)
def test_a_client_that_verifies_refuses(name: str, said: str) -> None:
    with Lab.start(ALL[name]) as lab:
        checked, unchecked = visit(lab, get(ADDRESSES[1], "/", ca=str(lab.ca_bundle)), get(ADDRESSES[1], "/"))
    assert said in checked["why"]
    assert unchecked["data"].startswith("HTTP/1.1 302")


def test_suites_without_encryption() -> None:
    step = get(ADDRESSES[0], "/", version="TLSv1_2", ciphers="eNULL:@SECLEVEL=0")
    with Lab.start(ALL["suites_without_encryption_offered"]) as lab:
        (seen,) = visit(lab, step)
    assert "NULL" in seen["cipher"]
    with Lab.start(ALL["hardened"]) as lab:
        (seen,) = visit(lab, step)
    assert "cipher" not in seen


def test_plain_http_on_443() -> None:
    with Lab.start(ALL["plain_http_on_443"]) as lab:
        clear, tls = visit(lab, {**get(ADDRESSES[0], "/", port=80), "port": 443}, get(ADDRESSES[0], "/"))
    assert clear["data"].startswith("HTTP/1.1 302")
    assert "version" not in tls
