"""The second TLS engine (sslyze), as a program: a question as JSON on standard input, an answer on standard output.

The only module that imports sslyze. It runs in a process of its own because the library cannot be cancelled or
bounded in time. Nothing of its types leaves: a suite that it calls rejected counts as refused only when the
server said so in an alert.
"""

from __future__ import annotations

import hashlib
import ipaddress
from collections.abc import Callable
from typing import Any, Final

from cryptography.hazmat.primitives.serialization import Encoding
from sslyze.plugins.certificate_info.implementation import CertificateInfoScanResult
from sslyze.plugins.openssl_cipher_suites.implementation import CipherSuitesScanResult
from sslyze.plugins.scan_commands import ScanCommand as Command
from sslyze.plugins.session_renegotiation_plugin import SessionRenegotiationExtraArgument
from sslyze.scanner.models import ScanCommandsExtraArguments, ServerScanRequest, ServerScanResult
from sslyze.scanner.scanner import Scanner
from sslyze.server_setting import ServerNetworkConfiguration, ServerNetworkLocation

from flexiscan.sdk import run_worker

_STANDARD: Final = frozenset(
    {
        Command.CERTIFICATE_INFO,
        Command.TLS_COMPRESSION,
        Command.SESSION_RENEGOTIATION,
        Command.HEARTBLEED,
        Command.OPENSSL_CCS_INJECTION,
        Command.ROBOT,
        Command.TLS_FALLBACK_SCSV,
    }
)
_SUITES: Final = {
    Command.SSL_2_0_CIPHER_SUITES: "SSLv2",
    Command.SSL_3_0_CIPHER_SUITES: "SSLv3",
    Command.TLS_1_0_CIPHER_SUITES: "TLSv1.0",
    Command.TLS_1_1_CIPHER_SUITES: "TLSv1.1",
    Command.TLS_1_2_CIPHER_SUITES: "TLSv1.2",
    Command.TLS_1_3_CIPHER_SUITES: "TLSv1.3",
}
_VERSIONS: Final = {
    "SSL_2_0": "SSLv2",
    "SSL_3_0": "SSLv3",
    "TLS_1_0": "TLSv1.0",
    "TLS_1_1": "TLSv1.1",
    "TLS_1_2": "TLSv1.2",
    "TLS_1_3": "TLSv1.3",
}
_ALERT: Final = "TLS alert"
"""How the messages begin that sslyze gives to a suite refused by an alert; silence and resets read otherwise."""

_READ_TIMEOUT_S: Final = 4
_MAX_DETAIL_CHARACTERS: Final = 200


def answer(request: dict[str, Any]) -> dict[str, Any]:
    """Scan one address and say what was seen, in the fields of TlsSecondOpinion.

    `request` has address, port, server_name (None: the address), depth ("standard" or "full") and connections.
    """
    commands = set(_STANDARD) | (set(_SUITES) if request["depth"] == "full" else set())
    name = request["server_name"] or request["address"]
    ipaddress.ip_address(request["address"])  # sslyze takes anything and would look it up
    extra = ScanCommandsExtraArguments(
        session_renegotiation=SessionRenegotiationExtraArgument(client_renegotiation_attempts=1)
    )
    scanner = Scanner(per_server_concurrent_connections_limit=request["connections"], concurrent_server_scans_limit=1)
    scan = ServerScanRequest(
        server_location=ServerNetworkLocation(name, request["port"], ip_address=request["address"]),
        network_configuration=ServerNetworkConfiguration(
            tls_server_name_indication=name, network_timeout=_READ_TIMEOUT_S, network_max_retries=1
        ),
        scan_commands=commands,
        scan_commands_extra_arguments=extra,
    )
    scanner.queue_scans([scan])
    result = next(iter(scanner.get_results()))
    return _unreached(result) if result.scan_result is None else _opinion(result, commands)


def _unreached(result: ServerScanResult) -> dict[str, Any]:
    trace = result.connectivity_error_trace
    detail = "" if trace is None else "".join(trace.format_exception_only()).strip()
    return {"engine": "sslyze", "reached": False, "detail": detail[:_MAX_DETAIL_CHARACTERS]}


def _opinion(result: ServerScanResult, commands: set[Command]) -> dict[str, Any]:
    opinion: dict[str, Any] = {"engine": "sslyze", "reached": True, "versions": {}, "answers": {}, "commands": {}}
    if result.connectivity_result is not None:
        opinion["highest_version"] = _VERSIONS[result.connectivity_result.highest_tls_version_supported.name]
    for command in sorted(commands, key=lambda command: command.value):
        attempt = getattr(result.scan_result, command.value)
        if attempt.result is None:
            reason = attempt.error_reason
            opinion["commands"][command.value] = "failed" if reason is None else reason.value.lower()
            continue
        opinion["commands"][command.value] = "completed"
        if command in _SUITES:
            opinion["versions"][_SUITES[command]] = _offered(attempt.result)
        elif command == Command.CERTIFICATE_INFO:
            opinion.update(_certificate(attempt.result))
        else:
            opinion["answers"].update(_ANSWERS[command](attempt.result))
    return opinion


def _offered(result: CipherSuitesScanResult) -> bool | None:
    """True when a suite was accepted, False when each was refused by an alert, None for anything in between."""
    if result.accepted_cipher_suites:
        return True
    rejected = result.rejected_cipher_suites
    by_alert = bool(rejected) and all(suite.error_message.startswith(_ALERT) for suite in rejected)
    return False if by_alert else None


def _certificate(result: CertificateInfoScanResult) -> dict[str, Any]:
    deployment = result.certificate_deployments[0]
    leaf = deployment.received_certificate_chain[0].public_bytes(Encoding.DER)
    return {
        "leaf_sha256": hashlib.sha256(leaf).hexdigest(),
        "certificate_verified": deployment.verified_certificate_chain is not None,
    }


_ANSWERS: Final[dict[Command, Callable[[Any], dict[str, bool | str]]]] = {
    Command.TLS_COMPRESSION: lambda result: {"compression": result.supports_compression},
    Command.SESSION_RENEGOTIATION: lambda result: {
        "secure_renegotiation": result.supports_secure_renegotiation,
        "client_renegotiation": result.client_renegotiations_success_count > 0,
    },
    Command.HEARTBLEED: lambda result: {"heartbleed": result.is_vulnerable_to_heartbleed},
    Command.OPENSSL_CCS_INJECTION: lambda result: {"ccs_injection": result.is_vulnerable_to_ccs_injection},
    Command.ROBOT: lambda result: {"robot": result.robot_result.value.lower()},
    Command.TLS_FALLBACK_SCSV: lambda result: {"fallback_scsv": result.supports_fallback_scsv},
}

if __name__ == "__main__":
    run_worker(answer)
