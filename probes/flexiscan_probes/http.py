"""Web: what every web port of every address answers, one request a connection, always between controls.

A port's lane begins with one look; only where that speaks HTTP the whole set follows, in two halves, and it stops
when the target shows distress. What the answers mean is the rules' business.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable, Mapping
from typing import Any, Final

from flexiscan.model.facts import HttpExchange
from flexiscan.model.observation import Observation
from flexiscan.model.plan import Task
from flexiscan.model.target import Target
from flexiscan.sdk import Context, Draft, PlanView, ProbeSpec
from flexiscan_probes.http2_exchange import exchange_h2
from flexiscan_probes.http_exchange import ANSWER_TIMEOUT_S, DEADLINE_S, Errand, exchange
from flexiscan_probes.http_questions import (
    Channel,
    Question,
    Subject,
    first_half,
    first_look,
    h2_set,
    second_half,
    second_half_of_redirector,
    subject_of,
)
from flexiscan_probes.wire.http1 import Header, Http1Request

WEB_ROUND: Final = 2
"""After the ports are known."""
TLS_PORTS: Final = (443, 4443)
CLEAR_PORTS: Final = (80, 8080)
SERVICE_PORTS: Final[Mapping[str, int]] = {"telephony-manager": 9692, "active-state": 13404}
"""Guide: Technical overview."""
WEB_LOOKS: Final[Mapping[Channel, tuple[tuple[Channel, str], ...]]] = {
    "http": (("http", "/"), ("https", "/")),
    "https": (("https", "/"), ("http", "/")),
}
"""What is tried on a web port, until something speaks HTTP."""
SERVICE_LOOKS: Final[tuple[tuple[Channel, str], ...]] = (("http", "/"), ("http", "/admin/"), ("https", "/"))
"""What is tried on the port of another service: three correct questions, whose silence then means something."""
SERVICE_WAIT_S: Final = 3.0
DEFAULT_PORTS: Final[Mapping[Channel, int]] = {"http": 80, "https": 443, "h2": 443}
BROWSER_AGENT: Final = (
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/126.0.0.0 Safari/537.36"
)
"""For the control that shows whether our own name is treated differently; the run id goes along all the same."""
_DISTRESS_WINDOW: Final = 6
_DISTRESS_COUNT: Final = 4


def plan(view: PlanView) -> Iterable[Draft]:
    """Round 2: one look at every web port, backend port and declared port that accepted."""
    if view.round != WEB_ROUND:
        return
    for address in view.addresses:
        accepted = view.accepted_tcp_ports(address.address)
        for port, channel in channels_of(view.target).items():
            if port not in accepted:
                continue
            subject = subject_of(view.target.apps, f"{view.seed}:web:{address.address}:{port}")
            looks = SERVICE_LOOKS if port in service_ports(view.target) else WEB_LOOKS[channel]
            wait_s = SERVICE_WAIT_S if port in service_ports(view.target) else ANSWER_TIMEOUT_S
            opening = {"subject": subject.as_params(), "looks": [list(look) for look in looks[1:]], "wait_s": wait_s}
            yield _draft(first_look(*looks[0], 1), channel, address.address, port, opening)


def service_ports(target: Target) -> frozenset[int]:
    """Declared ports of services that speak languages of their own."""
    ports = {*target.mitai_ports, *(SERVICE_PORTS[name] for name in target.ports)}
    return frozenset(ports - {*TLS_PORTS, *CLEAR_PORTS, target.http_port, target.https_port})


def channels_of(target: Target) -> Mapping[int, Channel]:
    """Every port to look at, with the channel that is tried first."""
    channels: dict[int, Channel] = dict.fromkeys(service_ports(target), "http")
    channels |= dict.fromkeys(CLEAR_PORTS, "http")
    channels |= dict.fromkeys(TLS_PORTS, "https")
    channels[target.http_port] = "http"
    channels[target.https_port] = "https"
    return dict(sorted(channels.items()))


def proceed(task: Task, observations: tuple[Observation, ...]) -> Iterable[Draft]:
    """The lane's next part: the other channel, the first half, the second half, or nothing."""
    then = task.params.get("then", "")
    outcome = observations[-1].outcome
    if not isinstance(outcome, HttpExchange) or task.address is None or task.port is None:
        return
    channel: Channel = task.params["channel"]
    if task.role == "web-look":
        if _speaks_http(outcome):
            opening = {} if channel == "h2" else {"subject": task.params["subject"], "then": "second-half"}
            subject = Subject.from_params(task.params["subject"])
            questions = list(h2_set(subject) if channel == "h2" else first_half(subject))
            yield from _set(questions, channel, task.address, task.port, opening)
        elif task.params["looks"] and outcome.status != 429:
            (other, path), *rest = task.params["looks"]
            opening = {**_carried(task, "subject", "wait_s"), "looks": rest}
            yield _draft(first_look(other, path, len(observations) + 1), other, task.address, task.port, opening)
    elif then == "second-half" and not in_distress(observations):
        subject = Subject.from_params(task.params["subject"])
        if _turned_away(observations, outcome.scheme, subject.canaries):
            return
        only_redirects = channel == "http" and all(_sends_to_https(o) for o in observations)
        half = second_half_of_redirector(subject) if only_redirects else second_half(subject, clear=channel == "http")
        questions = list(half)
        opening = {"subject": task.params["subject"], "then": "h2"} if channel == "https" else {}
        yield from _set(questions, channel, task.address, task.port, opening)
    elif then == "h2" and not in_distress(observations):
        opening = {"subject": task.params["subject"], "looks": []}
        yield _draft(first_look("h2", "/", 1), "h2", task.address, task.port, opening)


def _carried(task: Task, *names: str) -> dict[str, Any]:
    return {name: task.params[name] for name in names}


def _set(
    questions: list[Question], channel: Channel, address: str, port: int, opening: Mapping[str, Any]
) -> Iterable[Draft]:
    """The drafts of one half; the last one carries what the lane needs to go on."""
    for number, question in enumerate(questions, 1):
        last = opening if number == len(questions) else {}
        yield _draft(question, channel, address, port, last, prefix=f"{channel}/")


def _speaks_http(outcome: HttpExchange) -> bool:
    """Whether to go on. 400 to the root page is what a TLS port says to plain HTTP; 429 asks us to stop."""
    return outcome.outcome == "response" and outcome.status not in (400, 429)


def _turned_away(observations: tuple[Observation, ...], scheme: str, canaries: tuple[str, ...]) -> bool:
    """Whether a page that answered at first answers with another status now: somebody wants us gone."""
    outcomes = [o.outcome for o in observations]
    exchanges = [outcome for outcome in outcomes if isinstance(outcome, HttpExchange) and outcome.scheme == scheme]
    answers = [exchange for exchange in exchanges if exchange.outcome == "response" and exchange.status != 503]
    statuses = [{exchange.status for exchange in answers if exchange.target == path} for path in canaries]
    return any(len(seen) > 1 for seen in statuses)


def _sends_to_https(observation: Observation) -> bool:
    """Whether this answer was a redirect to an https URL."""
    outcome = observation.outcome
    if not isinstance(outcome, HttpExchange) or outcome.status is None or not 300 <= outcome.status < 400:
        return False
    return any(value.lower().startswith("https://") for value in outcome.header_values("Location"))


def in_distress(observations: tuple[Observation, ...]) -> bool:
    """Whether the target asks for less or stopped answering: nothing more is sent to this port then."""
    outcomes = [observation.outcome for observation in observations]
    exchanges = [outcome for outcome in outcomes if isinstance(outcome, HttpExchange)]
    if any(exchange.status == 429 for exchange in exchanges):
        return True
    last = exchanges[-_DISTRESS_WINDOW:]
    unanswered = [exchange for exchange in last if exchange.outcome != "response" or exchange.status == 503]
    return len(unanswered) >= _DISTRESS_COUNT


def _draft(
    question: Question,
    channel: Channel,
    address: str,
    port: int,
    opening: Mapping[str, Any],
    prefix: str = "",
) -> Draft:
    return Draft(
        role=question.role,
        name=prefix + question.name,
        address=address,
        transport="tcp",
        port=port,
        params={"channel": channel, "target": question.target, **question.params, **opening},
        lane=f"web/{address}/{port}",
        gate="http",
        deadline_s=DEADLINE_S,
    )


async def observe(context: Context, task: Task) -> HttpExchange:
    """Put the task's request."""
    if task.address is None or task.port is None:
        raise ValueError(f"task {task.id} names no address and port")
    channel: Channel = task.params["channel"]
    host = host_header(task.host, task.port, channel)
    headers = _headers(context, host, str(task.params.get("agent", "own")))
    target = str(task.params["target"]).encode("latin-1")
    errand = Errand(
        address=task.address,
        port=task.port,
        server_name=None if channel == "http" else server_name(task.host),
        encrypted=channel != "http",
        host=host,
        request=Http1Request(b"GET", target, headers),
        wait_s=float(task.params.get("wait_s", ANSWER_TIMEOUT_S)),
    )
    return await (exchange_h2 if channel == "h2" else exchange)(context, errand)


def host_header(host: str, port: int, channel: Channel) -> str:
    """The Host value that a browser would send (RFC 9110 section 7.2): brackets for IPv6, port unless default."""
    name = f"[{host}]" if ":" in host else host
    return name if port == DEFAULT_PORTS[channel] else f"{name}:{port}"


def server_name(host: str) -> str | None:
    """The name for the server_name extension; None for an address, which must not stand there (RFC 6066 3)."""
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return host.rstrip(".")
    return None


def _headers(context: Context, host: str, agent: str) -> tuple[Header, ...]:
    shared = (
        (b"X-FlexiScan-Id", context.run_id.encode("latin-1", "replace")),
        (b"Accept-Encoding", b"identity"),
        (b"Connection", b"close"),
    )
    if agent == "browser":
        return (
            (b"Host", host.encode("latin-1")),
            (b"User-Agent", BROWSER_AGENT.encode("latin-1")),
            (b"Accept", b"text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"),
            (b"Accept-Language", b"sv-SE,sv;q=0.9,en;q=0.8"),
            *shared,
        )
    return (
        (b"Host", host.encode("latin-1")),
        (b"User-Agent", context.user_agent.encode("latin-1", "replace")),
        (b"Accept", b"*/*"),
        *shared,
    )


def expected(task: Task) -> HttpExchange:
    """A host as the guide wants it, for the dry run: a redirector in clear, a site by HTTP/1.1 over TLS."""
    channel: Channel = task.params["channel"]
    target = str(task.params["target"])
    answer: dict[str, Any] = {"outcome": "response", "status": 404}
    if channel == "http":
        answer |= {"status": 301, "headers": (("Location", f"https://{task.host}{target}"),)}
    elif channel == "h2":
        answer = {"outcome": "not-http", "detail": "no-h2"}
    scheme = "http" if channel == "http" else "https"
    return HttpExchange(scheme=scheme, method="GET", target=target, host=task.host, **answer)


SPEC: Final = ProbeSpec(id="http.ask", version=1, plan=plan, observe=observe, proceed=proceed, expected=expected)
