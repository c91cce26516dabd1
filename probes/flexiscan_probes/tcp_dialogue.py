"""What is said on a TCP port, by the name of the question. No I/O: requests are bytes, answers are bytes."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from ipaddress import ip_address
from typing import Final

from flexiscan_probes.wire import giop, mssql, rdp, sip, smb, tls_numbers, winrm
from flexiscan_probes.wire.recognise import guess_service
from flexiscan_probes.wire.recognised import Recognised, is_echo
from flexiscan_probes.wire.tls_hello import ClientHello, write_client_hello

BANNER_WAIT_S: Final = 2.0
"""How long a server that speaks first is given to do so."""
ANSWER_WAIT_S: Final = 3.0
"""How long an answer to a request is waited for; the port is known to be open by then."""

_TLS12: Final = 0x0303
_GROUPS: Final = (0x001D, 0x0017, 0x0018, 0x0019)  # X25519 and the NIST curves, RFC 8446 section 4.2.7
_PAGE_END: Final = b"</html>"


@dataclass(frozen=True, slots=True)
class Asking:
    """Who is asked, and by whom."""

    host: str
    address: str
    port: int
    user_agent: str
    random: random.Random
    inside_tls: bool = False

    @property
    def server_name(self) -> str | None:
        """For the server_name extension; None for an address, which must not stand there (RFC 6066 section 3)."""
        try:
            ip_address(self.host)
        except ValueError:
            return self.host.rstrip(".")
        return None


@dataclass(frozen=True, slots=True)
class Dialogue:
    """Wait for a banner, then put one request, then wait for the answer; empty request: only listen."""

    request: bytes
    recognise: Callable[[bytes], Recognised | None]
    listen_first_s: float = 0.0
    enough: Callable[[bytes], bool] | None = None
    """When to stop reading although more may come; None: as soon as the service is recognised."""

    def service_of(self, data: bytes) -> str | None:
        """Name of the service that these bytes prove, asked for or not; our own bytes sent back prove none."""
        if is_echo(data, self.request):
            return None
        found = self.recognise(data) or guess_service(data)
        return None if found is None else found.service

    def is_enough(self, data: bytes) -> bool:
        """Whether reading on would teach nothing."""
        return self.enough(data) if self.enough is not None else self.service_of(data) is not None


def dialogue_for(question: str, asking: Asking) -> Dialogue:
    """The dialogue of a question of the port table. Raises ValueError for a question without one."""
    if question not in _DIALOGUES:
        raise ValueError(f"no TCP dialogue for the question {question!r}")
    return _DIALOGUES[question](asking)


def _sip(asking: Asking) -> Dialogue:
    token = f"{asking.random.getrandbits(64):016x}"
    request = sip.build_options(
        server=asking.address,
        port=asking.port,
        transport="tls" if asking.inside_tls else "tcp",
        token=token,
        user_agent=asking.user_agent,
    )
    return Dialogue(request, partial(sip.recognise_status, token=token))


def _giop(asking: Asking) -> Dialogue:
    return Dialogue(giop.build_locate_request(asking.random.getrandbits(31)), giop.recognise_answer)


def _tds(_: Asking) -> Dialogue:
    return Dialogue(mssql.build_prelogin(), mssql.recognise_prelogin)


def _rdp(_: Asking) -> Dialogue:
    return Dialogue(rdp.NEGOTIATION_REQUEST, rdp.recognise_answer)


def _smb(asking: Asking) -> Dialogue:
    return Dialogue(smb.build_negotiate(asking.random.randbytes(16)), smb.recognise_answer)


def _http(asking: Asking) -> Dialogue:
    lines = (
        "GET / HTTP/1.1",
        f"Host: {_host_value(asking)}",
        f"User-Agent: {asking.user_agent}",
        "Accept: */*",
        "Connection: close",
        "",
        "",
    )
    request = "\r\n".join(lines).encode("ascii", "replace")
    return Dialogue(request, guess_service, enough=_has_shown_itself)


def _has_shown_itself(data: bytes) -> bool:
    """Whether a page has ended, or has already said whose it is."""
    found = guess_service(data)
    return _PAGE_END in data.lower() or (found is not None and found.service != "http")


def _host_value(asking: Asking) -> str:
    """The Host value that a browser would send (RFC 9110 section 7.2)."""
    name = f"[{asking.host}]" if ":" in asking.host else asking.host
    return name if asking.port == (443 if asking.inside_tls else 80) else f"{name}:{asking.port}"


def _winrm(asking: Asking) -> Dialogue:
    request = winrm.build_identify(host=_host_value(asking), user_agent=asking.user_agent)
    return Dialogue(request, winrm.recognise_answer, enough=lambda data: winrm.recognise_answer(data) is not None)


def _tls(asking: Asking) -> Dialogue:
    hello = ClientHello(
        version=_TLS12,
        suites=tls_numbers.SUITES_MODERN,
        random=asking.random.randbytes(32),
        server_name=asking.server_name,
        groups=_GROUPS,
    )
    return Dialogue(write_client_hello(hello), guess_service)


def _banner(_: Asking) -> Dialogue:
    return Dialogue(b"\r\n", guess_service, listen_first_s=BANNER_WAIT_S)


_DIALOGUES: Final[dict[str, Callable[[Asking], Dialogue]]] = {
    "banner": _banner,
    "giop": _giop,
    "http": _http,
    "rdp": _rdp,
    "sip": _sip,
    "smb": _smb,
    "tds": _tds,
    "tls": _tls,
    "winrm": _winrm,
}
TCP_QUESTIONS: Final = frozenset(_DIALOGUES)
