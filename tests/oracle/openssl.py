"""Asks the openssl program what a server agrees to, and whether its certificate is in order."""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from flexiscan_lab.lab import Lab

OPTIONS = {"TLSv1.0": "-tls1", "TLSv1.1": "-tls1_1", "TLSv1.2": "-tls1_2", "TLSv1.3": "-tls1_3"}
CIPHERS = "ALL:COMPLEMENTOFALL:@SECLEVEL=0"
PATIENCE_S = 6.0
CERTIFICATE = re.compile(r"-----BEGIN CERTIFICATE-----.*?-----END CERTIFICATE-----\n", re.DOTALL)

REFUSALS = ("alert", "unexpected eof", "unsupported protocol")
"""Beginnings of refusal: an alert, a connection that is closed, or the answer in another version."""

Answer = Literal["offered", "refused", "silent"]


@dataclass(frozen=True, slots=True)
class Opinions:
    """`verify`'s opinions on a chain, each question asked alone."""

    trusted: bool
    """A path to the anchor with signatures that hold, whatever the dates (authentication level 1: no SHA-1)."""
    in_validity: bool
    """The leaf's own dates."""
    name_matches: bool
    key_strong: bool
    """The leaf's key is good for authentication level 2: 112 bits, RSA from 2048."""


@dataclass(frozen=True, slots=True)
class OpensslView:
    """What openssl saw of one address; `opinions` is None where no certificate came."""

    versions: dict[str, Answer]
    opinions: Opinions | None


def ask_openssl(lab: Lab, openssl: str, addresses: Iterable[str]) -> dict[str, OpensslView]:
    """Versions and certificates of port 443 of every address."""
    return {address: _look(lab, openssl, address) for address in addresses}


def _look(lab: Lab, openssl: str, address: str) -> OpensslView:
    versions = {version: _hello(lab, openssl, address, [option])[0] for version, option in OPTIONS.items()}
    _, text = _hello(lab, openssl, address, ["-showcerts"])
    chain = CERTIFICATE.findall(text)
    return OpensslView(versions, _judge(lab, openssl, chain, address) if chain else None)


def _hello(lab: Lab, openssl: str, address: str, options: Sequence[str]) -> tuple[Answer, str]:
    host = f"[{address}]" if ":" in address else address
    argv = [openssl, "s_client", "-connect", f"{host}:443", "-servername", lab.host, "-cipher", CIPHERS, *options]
    try:
        done = lab.run(
            argv, input="", capture_output=True, text=True, timeout=PATIENCE_S, env=_own_defaults(), errors="replace"
        )
    except subprocess.TimeoutExpired:
        return "silent", ""
    if re.search(r"^New, \S+, Cipher is (?!\(NONE\))", done.stdout, re.MULTILINE):
        return "offered", done.stdout
    assert "connect:errno" not in done.stderr, f"openssl could not connect to {address}: {done.stderr}"
    assert any(sign in done.stderr for sign in REFUSALS), done
    return "refused", done.stdout


def _judge(lab: Lab, openssl: str, chain: list[str], address: str) -> Opinions:
    folder = lab.folder / f"openssl-{address.replace(':', '_')}"
    folder.mkdir()
    leaf, sent = folder / "leaf.pem", folder / "sent.pem"
    leaf.write_text(chain[0])
    sent.write_text("".join(chain))
    alone = ["-partial_chain", "-trusted", str(leaf)]
    anchor = ["-CAfile", str(lab.ca_bundle), "-no-CApath", "-no-CAstore", "-untrusted", str(sent)]

    def holds(*options: str) -> bool:
        return _verify(openssl, options, leaf)

    return Opinions(
        trusted=holds(*anchor, "-purpose", "sslserver", "-no_check_time", "-auth_level", "1"),
        in_validity=holds(*alone, "-auth_level", "0"),
        name_matches=holds(*alone, "-no_check_time", "-auth_level", "0", "-verify_hostname", lab.host),
        key_strong=holds(*alone, "-no_check_time", "-auth_level", "2"),
    )


def _verify(openssl: str, options: Sequence[str], leaf: Path) -> bool:
    done = subprocess.run(
        [openssl, "verify", *options, str(leaf)], capture_output=True, text=True, env=_own_defaults(), timeout=30
    )
    assert done.returncode == 0 or "error " in done.stderr, done
    return done.returncode == 0


def _own_defaults() -> dict[str, str]:
    """The environment without the distribution's configuration, which forbids what is to be tried."""
    return {**os.environ, "OPENSSL_CONF": os.devnull}
