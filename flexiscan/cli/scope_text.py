"""The text of a scope file, every key with its explanation. Pure."""

from __future__ import annotations

import datetime as dt
import json
from dataclasses import dataclass

from flexiscan.model.target import Rates

_TEMPLATE = """\
# What FlexiScan may scan, and what is published on purpose. Unknown keys are errors.
schema = 1

[authorisation]
{customer}
authorised_by = {authorised_by}     # who allowed it: name and role
{contact}
# reference = "order 4711"          # a contract or ticket
valid_until = {valid_until}         # a scan after this day is refused

[[target]]
host = {host}
{addresses}
# origins = ["192.0.2.20"]          # the real server behind the proxy, scanned too
{apps}
{ports}
# mitai_ports = [1234]              # TCP ports of MiTAI, if it is used: they must be closed
# http_port = 80
# https_port = 443
# window = "01:00-05:00 Europe/Stockholm"   # the only hours in which anything is sent

# [exclude]                         # never sent to, whatever else stands here
# networks = ["192.0.2.128/25"]
# ports = [3389]

# [rates]                           # caps; more than these needs the customer's word
# udp_pps = {udp_pps}                   # datagrams a second to one address, at most 2000
# http_rps = {http_rps}                   # web requests a second to the host, at most 100
# tls_concurrency = {tls_concurrency}             # TLS handshakes at once, at most 16

# What cannot be seen from outside, and who says that it is so (flexiscan rules lists them: host.*):
# [attest."host.backup"]
# by = "A. Svensson"
# on = 2026-11-20
# note = "restored for a test in October"
"""


@dataclass(frozen=True, slots=True)
class Answers:
    """What was asked; one line each, host and date already checked."""

    host: str
    authorised_by: str
    valid_until: dt.date
    customer: str = ""
    contact: str = ""
    addresses: tuple[str, ...] = ()
    apps: tuple[str, ...] | None = None
    ports: tuple[str, ...] = ()


def scope_text(answers: Answers) -> str:
    """A scope file with these answers; what was left open stands there as a comment."""
    rates = Rates()
    return _TEMPLATE.format(
        host=_quoted(answers.host),
        authorised_by=_quoted(answers.authorised_by),
        valid_until=answers.valid_until.isoformat(),
        customer=_line("customer", answers.customer, '"Example AB"', "whose server it is"),
        contact=_line("contact", answers.contact, '"it@example.se"', "whom to call when something goes wrong"),
        addresses=_line(
            "addresses", answers.addresses, '["192.0.2.10", "2001:db8::10"]', "what DNS must say; others get no packet"
        ),
        apps=_line(
            "apps", answers.apps or (), '["presentity", "mobile", "api", "tidweb"]', "published on purpose; also: tid"
        ),
        ports=_line(
            "ports", answers.ports, '["telephony-manager", "active-state"]', "9692 and 13404, if open on purpose"
        ),
        udp_pps=rates.udp_pps,
        http_rps=rates.http_rps,
        tls_concurrency=rates.tls_concurrency,
    )


def _line(key: str, value: str | tuple[str, ...], example: str, meaning: str) -> str:
    if not value:
        return f"# {key} = {example}   # {meaning}"
    shown = _quoted(value) if isinstance(value, str) else f"[{', '.join(_quoted(one) for one in value)}]"
    return f"{key} = {shown}   # {meaning}"


def _quoted(text: str) -> str:
    """A basic string: its escapes are those of JSON (TOML 1.0, String)."""
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")
