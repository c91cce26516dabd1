"""What trials on an agreed test call add to what is known of the media range.

Voice that came is the worst there is. That none came clears the media server of one fault; it says nothing about the
range, which is judged as if there had been no trial.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, Final

from flexiscan.model.facts import BleedTrial, VoiceStream
from flexiscan.policy.ports.media_range import who_answers
from flexiscan.policy.ports.reading import PortReading, icmp_params, same_address
from flexiscan.policy.rule import Seen

BLEED_ROLE: Final = "rtp-bleed"
STREAM_PACKETS: Final = 3
STREAM_GAP_MS: Final = (10.0, 40.0)
"""Voice goes in packets of 20 ms by default (RFC 3551 4.2); 10 to 40 ms are in use."""
_LIVE: Final = frozenset({"media-received", "media-redirectable", "reports-received"})


def with_test_call(reading: PortReading, trials: Sequence[Seen], paths: Sequence[Seen] = ()) -> PortReading:
    """The reading of the range, with what the trials showed. The worst sign wins."""
    known = [(seen, seen.fact) for seen in trials if isinstance(seen.fact, BleedTrial)]
    if not known:
        return reading
    found = [port for port in (_read_trial(seen, fact, paths) for seen, fact in known) if port is not None]
    tried = [seen.task.port for seen, _ in known]
    worst = min(found, key=lambda port: _ORDER[port.result], default=None)
    if worst is None or _ORDER[worst.result] >= _ORDER.get(reading.result, len(_ORDER)):
        told = {} if worst is not None or reading.result in _LIVE else {"not_redirected": tried}
        because = (*reading.because, *(seen for seen, _ in known))
        return replace(reading, because=because, params={**reading.params, **told})
    return replace(worst, params={**reading.params, "tried": tried, **worst.params})


_WORST_FIRST: Final = ("media-redirectable", "media-received", "reports-received", "open", "perimeter-passes")
_ORDER: Final[Mapping[str, int]] = {result: place for place, result in enumerate(_WORST_FIRST)}


def _read_trial(seen: Seen, fact: BleedTrial, paths: Sequence[Seen]) -> PortReading | None:
    port = seen.task.port
    streams = [stream for stream in fact.streams if _is_voice(stream)]
    if streams:
        return PortReading("media-redirectable", (seen,), "confirmed", {"port": port, **_stream_params(streams[0])})
    if fact.streams:
        media = [stream.model_dump() for stream in fact.streams]
        return PortReading("media-received", (seen,), "confirmed", {"ports": [port], "media": media})
    if fact.rtcp_packets:
        return PortReading("reports-received", (seen,), "confirmed", {"ports": [port]})
    if fact.other_packets:
        return PortReading("open", (seen,), "confirmed", {"ports": [port]})
    icmp = fact.icmp
    if icmp is None or icmp.meaning != "port-unreachable" or not same_address(icmp.offender, str(seen.task.address)):
        return None
    if who_answers(icmp, paths) == "edge":
        return None
    known = who_answers(icmp, paths) == "server"
    shown = {"ports": [port], **icmp_params(icmp)}
    return PortReading("perimeter-passes", (seen, *paths), "firm" if known else "tentative", shown)


def _is_voice(stream: VoiceStream) -> bool:
    """Whether packets of one source and kind came one after the other, at the pace of voice."""
    if stream.packets < STREAM_PACKETS or stream.mean_gap_ms is None:
        return False
    shortest_ms, longest_ms = STREAM_GAP_MS
    return stream.rising >= STREAM_PACKETS - 1 and shortest_ms <= stream.mean_gap_ms <= longest_ms


def _stream_params(stream: VoiceStream) -> dict[str, Any]:
    return {
        "voice_packets": stream.packets,
        "payload_type": stream.payload_type,
        "ssrc": f"{stream.ssrc:08x}",
        "gap_ms": stream.mean_gap_ms,
    }
