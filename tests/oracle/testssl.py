"""Asks testssl.sh about protocols and suites, and reads its JSON."""

from __future__ import annotations

import json
import subprocess
from dataclasses import dataclass
from pathlib import Path

from flexiscan_lab.lab import Lab
from flexiscan_lab.scenario import TARGET_IPV4

VERSIONS = {
    "SSLv2": "SSLv2",
    "SSLv3": "SSLv3",
    "TLS1": "TLSv1.0",
    "TLS1_1": "TLSv1.1",
    "TLS1_2": "TLSv1.2",
    "TLS1_3": "TLSv1.3",
}
ORDERS = {
    "cipherorder_SSLv3": "SSLv3",
    "cipherorder_TLSv1": "TLSv1.0",
    "cipherorder_TLSv1_1": "TLSv1.1",
    "cipherorder_TLSv1_2": "TLSv1.2",
    "cipherorder_TLSv1_3": "TLSv1.3",
}
CLASSES = {
    "cipherlist_NULL": "null",
    "cipherlist_aNULL": "anonymous",
    "cipherlist_EXPORT": "export",
    "cipherlist_LOW": "low",
    "cipherlist_3DES_IDEA": "3des-idea",
}
DEADLINE_S = 240

# The script looks names up in passing, also with name lookups switched off, and waits long for a resolver that is
# not there. So it gets a mount namespace in which names come from a file.
OFFLINE = (
    'mount --bind "$0/nsswitch.conf" /etc/nsswitch.conf && mount --bind "$0/hosts" /etc/hosts && '
    'exec timeout --kill-after=5 "$1" "${@:2}"'
)


@dataclass(frozen=True, slots=True)
class SuiteView:
    """What testssl.sh saw: versions that are offered, suites of each by registered name, weak classes offered."""

    versions: frozenset[str]
    suites: dict[str, frozenset[str]]
    classes: frozenset[str]


def ask_testssl(lab: Lab, testssl: str, openssl: str) -> SuiteView:
    """Protocols (-p), preferences (-P) and standard categories (-s) of port 443 over IPv4."""
    folder = lab.folder / "testssl"
    folder.mkdir()
    (folder / "nsswitch.conf").write_text("hosts: files\n")
    (folder / "hosts").write_text(f"{TARGET_IPV4} {lab.host}\n")
    answers = folder / "answers.json"
    argv = ["unshare", "--mount", "bash", "-c", OFFLINE, str(folder), str(DEADLINE_S), testssl, "-p", "-P", "-s"]
    argv += ["--ip", TARGET_IPV4, "--nodns", "none", "--openssl", openssl, "--mapping", "iana", "--warnings", "off"]
    argv += ["--quiet", "--color", "0", "--connect-timeout", "5", "--openssl-timeout", "5", "--jsonfile", str(answers)]
    done = lab.run(
        [*argv, f"https://{lab.host}:443"], capture_output=True, text=True, stdin=subprocess.DEVNULL, cwd=folder
    )
    return _read(answers, done.stdout + done.stderr)


def _read(answers: Path, output: str) -> SuiteView:
    told = {entry["id"]: entry["finding"] for entry in json.loads(answers.read_text())}
    assert VERSIONS.keys() | CLASSES.keys() <= told.keys(), output
    return SuiteView(
        versions=frozenset(name for key, name in VERSIONS.items() if told[key].startswith("offered")),
        suites={name: frozenset(told[key].split()) for key, name in ORDERS.items() if key in told},
        classes=frozenset(name for key, name in CLASSES.items() if told[key].startswith("offered")),
    )
