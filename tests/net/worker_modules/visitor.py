"""A worker whose library (sslyze) is told to go somewhere, in threads of its own."""

from __future__ import annotations

from typing import Any

from sslyze.plugins.scan_commands import ScanCommand
from sslyze.scanner.models import ServerScanRequest
from sslyze.scanner.scanner import Scanner
from sslyze.server_setting import ServerNetworkConfiguration, ServerNetworkLocation

from flexiscan.net.worker_guard import run_worker


def answer(request: dict[str, Any]) -> dict[str, Any]:
    """Scan the address of the request; what the library says of the attempt."""
    scanner = Scanner()
    scanner.queue_scans(
        [
            ServerScanRequest(
                server_location=ServerNetworkLocation("lab.test", request["port"], ip_address=request["address"]),
                network_configuration=ServerNetworkConfiguration("lab.test", network_timeout=1, network_max_retries=1),
                scan_commands={ScanCommand.TLS_1_2_CIPHER_SUITES, ScanCommand.ROBOT},
            )
        ]
    )
    result = next(iter(scanner.get_results()))
    trace = result.connectivity_error_trace
    return {"status": result.scan_status.name, "trace": "" if trace is None else "".join(trace.format())}


if __name__ == "__main__":
    run_worker(answer)
