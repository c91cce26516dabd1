"""What is asked on a UDP port, by the name of the question. No I/O: requests are bytes, answers are bytes."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Final

from flexiscan_probes.wire import mssql, netbios, rtcp, sip, snmp, stun, tftp
from flexiscan_probes.wire.recognise import guess_service
from flexiscan_probes.wire.recognised import Recognised, is_echo

WAITS_S: Final = (0.6, 0.6, 1.2)
"""After each try. An ICMP limit of one error in 2.4 s or faster still answers one of three tries."""
SIP_WAITS_S: Final = (1.0, 2.0, 4.5)
"""Together sip.ANSWER_WAIT_S; spacing like the retransmissions of RFC 3261 section 17.1.2.2."""


@dataclass(frozen=True, slots=True)
class UdpQuestion:
    """`requests` are sent together on every try; `waits_s` is how long is listened after each try."""

    requests: tuple[bytes, ...]
    recognise: Callable[[bytes], Recognised | None]
    waits_s: tuple[float, ...] = WAITS_S

    def service_of(self, data: bytes) -> str | None:
        """Name of the service that these bytes prove, asked for or not; our own bytes sent back prove none."""
        if any(is_echo(data, request) for request in self.requests):
            return None
        media = rtcp.read_header(data)
        found = self.recognise(data)
        if found is None and media is not None:
            return media.kind
        found = found or guess_service(data)
        return None if found is None else found.service


def udp_question_for(question: str, *, address: str, port: int, user_agent: str, chance: random.Random) -> UdpQuestion:
    """The requests of a question of the port table. Raises ValueError for a question without any."""
    token = f"{chance.getrandbits(64):016x}"
    number = chance.getrandbits(31)
    match question:
        case "sip":
            request = sip.build_options(server=address, port=port, transport="udp", token=token, user_agent=user_agent)
            return UdpQuestion((request,), partial(sip.recognise_status, token=token), SIP_WAITS_S)
        case "tftp":
            return UdpQuestion((tftp.build_read_request(token),), tftp.recognise_answer)
        case "snmp":
            gets = (snmp.build_get("1", number), snmp.build_get("2c", number), snmp.build_discovery(number))
            return UdpQuestion(gets, partial(snmp.recognise_answer, request_id=number))
        case "netbios":
            identity = number & 0x7FFF
            request = netbios.build_node_status(identity)
            return UdpQuestion((request,), partial(netbios.recognise_answer, transaction_id=identity))
        case "sql-browser":
            return UdpQuestion((mssql.BROWSER_REQUEST,), mssql.recognise_browser)
        case "stun":
            transaction = chance.randbytes(stun.TRANSACTION_BYTES)
            recognise = partial(stun.recognise_answer, transaction=transaction)
            return UdpQuestion((stun.build_binding_request(transaction),), recognise)
        case "one-byte":  # no public protocol: any datagram shows whether the port is there
            return UdpQuestion((b"\x00",), guess_service)
        case "canary":  # a receiver report: harmless even where a canary should meet a media port
            return UdpQuestion((rtcp.build_receiver_report(number),), guess_service)
    raise ValueError(f"no UDP request for the question {question!r}")


def waits_of(question: str) -> tuple[float, ...]:
    """How long a question listens after each of its tries: for the estimate."""
    return SIP_WAITS_S if question == "sip" else WAITS_S


def requests_of(question: str) -> int:
    """How many datagrams a question sends on each try: for the estimate."""
    return 3 if question == "snmp" else 1
