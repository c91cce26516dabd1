"""Asks sslyze, as a program of its own, which suites a server accepts and which it rejects."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable
from dataclasses import dataclass

from flexiscan_lab.lab import Lab

OPTIONS = {
    "SSLv2": ("--sslv2", "ssl_2_0_cipher_suites"),
    "SSLv3": ("--sslv3", "ssl_3_0_cipher_suites"),
    "TLSv1.0": ("--tlsv1", "tls_1_0_cipher_suites"),
    "TLSv1.1": ("--tlsv1_1", "tls_1_1_cipher_suites"),
    "TLSv1.2": ("--tlsv1_2", "tls_1_2_cipher_suites"),
    "TLSv1.3": ("--tlsv1_3", "tls_1_3_cipher_suites"),
}
DEADLINE_S = 120.0


@dataclass(frozen=True, slots=True)
class Suites:
    """Registered names of the suites of one version."""

    accepted: frozenset[str]
    rejected: frozenset[str]


def ask_sslyze(lab: Lab, addresses: Iterable[str]) -> dict[str, dict[str, Suites]]:
    """The suites of every version, of port 443 of every address."""
    return {address: _look(lab, address) for address in addresses}


def _look(lab: Lab, address: str) -> dict[str, Suites]:
    options = [option for option, _ in OPTIONS.values()]
    argv = [sys.executable, "-m", "sslyze", *options, "--mozilla_config", "disable", "--json_out=-"]
    place = f"{lab.host}:443{{{address}}}"
    done = lab.run([*argv, place], capture_output=True, text=True, timeout=DEADLINE_S)
    assert done.returncode == 0, done.stderr
    (server,) = json.loads(done.stdout)["server_scan_results"]
    assert server["connectivity_status"] == "COMPLETED", server
    results = {version: server["scan_result"][name]["result"] for version, (_, name) in OPTIONS.items()}
    return {
        version: Suites(_names(result["accepted_cipher_suites"]), _names(result["rejected_cipher_suites"]))
        for version, result in results.items()
    }


def _names(suites: Iterable[dict[str, dict[str, str]]]) -> frozenset[str]:
    return frozenset(suite["cipher_suite"]["name"] for suite in suites)
