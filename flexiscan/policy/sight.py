"""How sure a judgement may be where the scanner's system does not tell who refused what (docs/design/010)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from flexiscan.model.facts import Fact
from flexiscan.model.finding import Confidence
from flexiscan.policy.rule import Judgement

_UNANSWERED: Final = frozenset({"silence", "refused", "icmp", "connect-silence", "connect-refused", "connect-icmp"})


def confidence_in_sight(options: Mapping[str, Any], judgement: Judgement) -> Confidence:
    """The judgement's own confidence; under limited sight, what rests on silence or on a refusal is a weak sign."""
    if options.get("sight") != "limited" or judgement.outcome not in ("holds", "violated"):
        return judgement.confidence
    unanswered = judgement.outcome == "holds" and any(_is_unanswered(seen.fact) for seen in judgement.because)
    return "tentative" if judgement.rests_on_absence or unanswered else judgement.confidence


def _is_unanswered(fact: Fact) -> bool:
    match fact.kind:
        case "tcp":
            return fact.connect in _UNANSWERED
        case "udp":
            return fact.reply in _UNANSWERED
        case "http" | "tls-hello" | "certificate":
            return fact.outcome in _UNANSWERED
    return False
