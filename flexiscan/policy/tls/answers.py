"""The TLS facts of one port, sorted: hellos by version, controls, and why nothing can be said when that is so."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from flexiscan.model.facts_tls import TlsReply, TlsSecondOpinion, TlsVersion
from flexiscan.model.tls_reading import TLS_VERSIONS, UNRECOGNIZED_NAME, Reading, agreed_to, reading_of
from flexiscan.policy.rule import Case, Judgement, Need, Outcome, Seen

CONTROL_ROLE: Final = "tls-control"
OPINION_ROLE: Final = "tls-second-opinion"
CERTIFICATE_ROLE: Final = "tls-certificate"

_HTTP_BEGINNING: Final = b"HTTP/1.".hex()

HELLO_NEEDS: Final = (
    Need(CONTROL_ROLE),
    *(Need(f"tls-{version}", optional=True) for version in TLS_VERSIONS),
    Need(CERTIFICATE_ROLE, optional=True),
)
"""What every rule about TLS needs. The hellos of a port follow from each other's answers, so that a rule about one
version needs them all to be put; they are optional because the first answers may end the questions."""

TLS_NEEDS: Final = (*HELLO_NEEDS, Need(OPINION_ROLE, optional=True))

UNANSWERED: Final[dict[str, Outcome]] = {
    "not-served": "not-applicable",
    "plain-http": "not-applicable",
    "not-tls": "cannot-tell",
    "unreachable": "cannot-tell",
    "silent": "cannot-tell",
    "server-name-refused": "cannot-tell",
    "incomplete": "cannot-tell",
    "no-common-ground": "cannot-tell",
}
"""Results for a port that gave no TLS answer to a hello that every TLS server ought to answer."""


@dataclass(frozen=True, slots=True)
class Answer:
    """One hello and its answer, with what it means in the protocol."""

    seen: Seen
    reply: TlsReply
    reading: Reading

    @property
    def agreed(self) -> bool:
        """Whether the server took something that was offered, in whatever version."""
        return agreed_to(self.reply)


def role_of(version: TlsVersion) -> str:
    """The role of the hellos that ask for one version."""
    return f"tls-{version}"


def answers_of(case: Case, role: str) -> tuple[Answer, ...]:
    """The hellos of a role with their answers, in time order."""
    found = [
        Answer(seen, seen.fact, reading_of(seen.fact)) for seen in case.of(role) if isinstance(seen.fact, TlsReply)
    ]
    return tuple(sorted(found, key=lambda answer: answer.seen.started_s))


def opinions_of(case: Case) -> tuple[tuple[Seen, TlsSecondOpinion], ...]:
    """What the second engine said, where it was reached."""
    facts = [(seen, seen.fact) for seen in case.of(OPINION_ROLE) if isinstance(seen.fact, TlsSecondOpinion)]
    return tuple((seen, fact) for seen, fact in facts if fact.reached)


def why_unanswered(controls: tuple[Answer, ...]) -> Judgement | None:
    """The judgement for a port where no control was ever taken up; None where one was."""
    if any(control.agreed for control in controls):
        return None
    result = _unanswered_result(controls)
    return Judgement(UNANSWERED[result], result, tuple(control.seen for control in controls))


def _unanswered_result(controls: tuple[Answer, ...]) -> str:
    outcomes = {control.reply.outcome for control in controls}
    if not outcomes:
        return "incomplete"
    if outcomes == {"connect-reset"}:
        return "not-served"
    if outcomes <= {"connect-reset", "connect-icmp", "connect-silence", "connect-refused"}:
        return "unreachable"
    if "not-tls" in outcomes:
        return "plain-http" if _only_http(controls) else "not-tls"
    if "timeout" in outcomes:
        return "silent"
    if any(control.reply.alert_description == UNRECOGNIZED_NAME for control in controls):
        return "server-name-refused"
    return "no-common-ground"


def _only_http(controls: tuple[Answer, ...]) -> bool:
    """Whether each control that was answered at all was answered by an HTTP status line in clear."""
    return all(
        control.reply.outcome == "timeout"
        or (control.reply.outcome == "not-tls" and control.reply.first_bytes_hex.startswith(_HTTP_BEGINNING))
        for control in controls
    )
