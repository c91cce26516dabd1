"""Whether this process may open raw sockets. Nothing is sent to find out."""

from __future__ import annotations

import importlib.util
import socket

from flexiscan.net.raw_right import try_raw_socket


def why_not() -> tuple[str, str] | None:
    """Cause and next step when raw sockets cannot be used here; None when they can."""
    family = getattr(socket, "AF_PACKET", None)
    if family is None:
        return "--raw needs packet sockets, which this system does not have", "scan from Linux, or leave out --raw"
    if importlib.util.find_spec("scapy") is None:
        return "--raw needs scapy, which is not installed", "install it: pip install scapy; or leave out --raw"
    try:
        socket.socket(family, socket.SOCK_DGRAM, 0).close()
        try_raw_socket()
    except PermissionError:
        return (
            "--raw needs the right to open raw sockets (CAP_NET_RAW), which is not given here; nothing was sent",
            "run as root, for example with sudo; or with that capability alone: "
            "setpriv --inh-caps +net_raw --ambient-caps +net_raw; or leave out --raw: the verdicts are the same",
        )
    except OSError as error:
        return f"--raw cannot open a raw socket: {error.strerror}; nothing was sent", "leave out --raw"
    return None
