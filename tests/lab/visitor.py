"""A client that runs where the scanner stands: reads steps as JSON on stdin, prints what it met as JSON.

Standard library only, and none of the project's code: it is the tests' own eye.
"""

from __future__ import annotations

import errno
import json
import select
import socket
import ssl
import sys
import time
from typing import Any

# linux/in.h, linux/in6.h
IP_RECVERR, IPV6_RECVERR = 11, 25
IP_RECVTTL, IPV6_RECVHOPLIMIT = 12, 51
MSG_ERRQUEUE = 0x2000


def family_of(address: str) -> socket.AddressFamily:
    return socket.AF_INET6 if ":" in address else socket.AF_INET


def context_for(step: dict[str, Any]) -> ssl.SSLContext:
    context = ssl.create_default_context(cafile=step.get("ca"))
    if not step.get("ca"):
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    if step.get("version"):
        version = ssl.TLSVersion[step["version"]]
        context.minimum_version = context.maximum_version = version
        context.set_ciphers(step.get("ciphers", "ALL:@SECLEVEL=0"))
    return context


def converse(step: dict[str, Any]) -> dict[str, Any]:
    """TCP, with TLS when "tls" names a server: send, read until the end or the timeout."""
    seen: dict[str, Any] = {"data": ""}
    with socket.socket(family_of(step["address"]), socket.SOCK_STREAM) as plain:
        plain.settimeout(step.get("timeout_s", 2.0))
        try:
            plain.connect((step["address"], step["port"]))
            seen["connected"] = True
            stream: socket.socket = plain
            if "tls" in step:
                wrapped = context_for(step).wrap_socket(plain, server_hostname=step["tls"])
                seen["version"], seen["cipher"] = wrapped.version(), (wrapped.cipher() or ("",))[0]
                stream = wrapped
            stream.sendall(step.get("send", "").encode("latin-1"))
            while data := stream.recv(65536):
                seen["data"] += data.decode("latin-1")
                if len(seen["data"]) > step.get("enough_bytes", 1 << 20):
                    break
        except OSError as error:
            seen["error"] = errno.errorcode.get(error.errno or 0, type(error).__name__)
            seen["why"] = str(error)
    return seen


def ask(step: dict[str, Any]) -> dict[str, Any]:
    """UDP: send to each port, then collect answers and ICMP errors until everything answered or the timeout."""
    family = family_of(step["address"])
    level, error_option, ttl_option = (
        (socket.IPPROTO_IP, IP_RECVERR, IP_RECVTTL)
        if family == socket.AF_INET
        else (socket.IPPROTO_IPV6, IPV6_RECVERR, IPV6_RECVHOPLIMIT)
    )
    answers: list[dict[str, Any]] = []
    ends_s = time.monotonic() + step.get("timeout_s", 2.0)
    with socket.socket(family, socket.SOCK_DGRAM) as udp:
        udp.setsockopt(level, error_option, 1)
        udp.setsockopt(level, ttl_option, 1)
        if "ttl" in step:
            option = (socket.IP_TTL,) if family == socket.AF_INET else (socket.IPV6_UNICAST_HOPS,)
            udp.setsockopt(level, option[0], step["ttl"])
        for port in step["ports"]:
            for _ in range(4):
                try:
                    udp.sendto(bytes.fromhex(step["hex"]), (step["address"], port))
                    break
                except OSError:
                    continue
        while len(answers) < len(step["ports"]) and (left_s := ends_s - time.monotonic()) > 0:
            select.select([udp], [], [udp], left_s)
            answers += drain(udp, family)
    return {"answers": answers}


def drain(udp: socket.socket, family: socket.AddressFamily) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    for flags in (MSG_ERRQUEUE, 0):
        try:
            data, ancillary, _, name = udp.recvmsg(65535, 512, flags | socket.MSG_DONTWAIT)
        except OSError:
            continue
        answer: dict[str, Any] = {"port": name[1], "hex": data.hex()}
        for _, kind, value in ancillary:
            if kind in (IP_RECVERR, IPV6_RECVERR):
                raw = value[20:24] if family == socket.AF_INET else value[24:40]
                answer |= {"icmp": [value[5], value[6]], "offender": socket.inet_ntop(family, raw)}
            elif kind in (2, 52, IP_RECVTTL):
                answer["ttl"] = int.from_bytes(value[:4], sys.byteorder)
        found.append(answer)
    return found


STEPS = {"converse": converse, "ask": ask}

if __name__ == "__main__":
    print(json.dumps([STEPS[step.pop("do")](step) for step in json.load(sys.stdin)]))
