"""The TLS rules against servers that are honest, odd, broken, overloaded or hostile. None may earn a false pass."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flexiscan.model.facts_tls import TlsOutcome, TlsSecondOpinion, TlsVersion
from flexiscan.policy.rules.tls import RULES
from tests.policy.tls_world import MODERN_SUITES, Quirk, Refusal, TlsServer, TlsWorld, shown

OLD_RULES: Mapping[str, TlsVersion] = {
    "tls.sslv3-refused": "SSLv3",
    "tls.tls10-refused": "TLSv1.0",
    "tls.tls11-refused": "TLSv1.1",
}
REFUSED_RULES = ("tls.sslv2-refused", *OLD_RULES)


def with_old(**old: tuple[int, ...]) -> Mapping[TlsVersion, tuple[int, ...]]:
    names: dict[str, TlsVersion] = {"ssl3": "SSLv3", "tls10": "TLSv1.0", "tls11": "TLSv1.1"}
    return {**MODERN_SUITES, **{names[key]: suites for key, suites in old.items()}}


def passes(result: dict[str, str]) -> set[str]:
    return {rule for rule, text in result.items() if text.startswith("pass") and rule.startswith("tls.")}


def test_a_modern_server_passes_everything_in_few_connections() -> None:
    server = TlsServer()
    result = shown(TlsWorld(server))
    assert passes(result) == {rule.id for rule in RULES}
    assert result["tls.sslv3-refused"] == "pass refused"
    assert server.connections <= 30


@pytest.mark.parametrize(
    ("suites", "rule"),
    [
        (with_old(ssl3=(0x002F,)), "tls.sslv3-refused"),
        (with_old(tls10=(0xC013,)), "tls.tls10-refused"),
        (with_old(tls11=(0x0035,)), "tls.tls11-refused"),
        (with_old(tls10=(0x008C,)), "tls.tls10-refused"),  # a pre-shared key suite, in the last list of all
    ],
)
@pytest.mark.parametrize("refusal", [70, 40, "reset", "closed"])
def test_an_old_version_that_is_offered_is_found(
    suites: Mapping[TlsVersion, tuple[int, ...]], rule: str, refusal: Refusal
) -> None:
    server = TlsServer(suites, no_version=refusal, no_suite=refusal if refusal != 70 else 40)
    finding = TlsWorld(server).run().findings()[rule]
    assert (finding.verdict, finding.result, finding.confidence) == ("fail", "offered", "confirmed")
    assert finding.because


def test_sslv2_is_found_by_the_kinds_that_the_server_lists() -> None:
    result = shown(TlsWorld(TlsServer(ssl2_kinds=(0x010080,))))
    assert result["tls.sslv2-refused"] == "fail offered"
    assert result["tls.ciphers-strong"] == "fail weak-offered"


def test_sslv2_is_found_even_without_a_common_kind() -> None:
    def empty_list(number: int, question: Mapping[str, Any]) -> Refusal | None:
        return None

    server = TlsServer(ssl2_kinds=(0x123456,), quirk=empty_list)
    assert shown(TlsWorld(server))["tls.sslv2-refused"] == "fail offered"


@pytest.mark.parametrize("how", ["reset", "closed", 80, 10])
def test_a_server_that_hangs_up_in_place_of_an_alert_refuses_by_dropping(how: Refusal) -> None:
    findings = TlsWorld(TlsServer(no_version=how, no_suite=how)).run().findings()
    for rule in REFUSED_RULES:
        finding = findings[rule]
        assert (finding.verdict, finding.result, finding.confidence) == ("pass", "refused-by-drop", "firm")
    assert findings["tls.ciphers-strong"].verdict == "pass"


@pytest.mark.parametrize("version", ["SSLv2", "SSLv3", "TLSv1.0", "TLSv1.1"])
def test_silence_on_old_hellos_alone_is_never_a_refusal(version: TlsVersion) -> None:
    def silent(number: int, question: Mapping[str, Any]) -> Refusal | None:
        return "timeout" if question["version"] == version else None

    result = shown(TlsWorld(TlsServer(quirk=silent)))
    rule = f"tls.{version.lower().replace('v1.', '1')}-refused"
    assert result[rule] == "inconclusive silent"
    assert set(REFUSED_RULES) - {rule} <= passes(result)
    assert result["tls.ciphers-strong"] == "inconclusive silent"


def test_a_server_that_hangs_on_long_lists_is_asked_with_short_ones() -> None:
    def hangs(number: int, question: Mapping[str, Any]) -> Refusal | None:
        return "timeout" if len(question["suites"]) > 40 else None

    result = shown(TlsWorld(TlsServer(with_old(tls10=(0xC013,)), quirk=hangs)))
    assert result["tls.tls10-refused"] == "fail offered"
    assert result["tls.tls11-refused"] == "pass refused"


def test_a_server_that_resets_everything_is_not_pestered() -> None:
    server = TlsServer(quirk=lambda number, question: "reset")
    TlsWorld(server).run()
    assert server.connections <= 20


def test_an_old_server_that_drops_what_it_does_not_like_is_found_all_the_same() -> None:
    def old(number: int, question: Mapping[str, Any]) -> Refusal | None:
        return None if question["version"] == "SSLv3" else "reset"

    server = TlsServer({"SSLv3": (0x0004,)}, no_version="reset", no_suite="reset", quirk=old)
    assert shown(TlsWorld(server))["tls.sslv3-refused"] == "fail offered"


@pytest.mark.parametrize("limit", range(1, 30))
@pytest.mark.parametrize("mode", ["timeout", "reset", "closed", "connect-silence", "connect-reset", 40, 80])
def test_a_limiter_never_hides_what_is_offered(limit: int, mode: Refusal) -> None:
    """The server offers every old version; after N connections it stops telling the truth."""

    def limiter(number: int, question: Mapping[str, Any]) -> Refusal | None:
        return mode if number > limit else None

    suites = with_old(ssl3=(0x000A, 0x0005), tls10=(0xC013, 0x002F), tls11=(0xC013,))
    result = shown(TlsWorld(TlsServer(suites, ssl2_kinds=(0x010080,), quirk=limiter)))
    assert passes(result) <= {"tls.modern-offered", "tls.tls13-offered"}


@pytest.mark.parametrize("mode", ["timeout", "reset", "connect-silence"])
def test_a_server_that_stops_answering_is_left_alone(mode: Refusal) -> None:
    server = TlsServer(quirk=lambda number, question: mode if number > 20 else None)
    TlsWorld(server).run()
    assert server.connections <= 26


def test_a_limiter_that_only_pauses_gives_no_pass_for_what_fell_into_the_pause() -> None:
    def pause(number: int, question: Mapping[str, Any]) -> Refusal | None:
        return "reset" if question["version"] == "TLSv1.0" and number % 3 else None

    result = shown(TlsWorld(TlsServer(with_old(tls10=(0xC013,)), quirk=pause)))
    assert result["tls.tls10-refused"] == "fail offered"


def test_a_single_unlucky_reset_hides_no_weak_cipher() -> None:
    unlucky: list[int] = []

    def once(number: int, question: Mapping[str, Any]) -> Refusal | None:
        if question["version"] == "TLSv1.2" and 0x0005 in question["suites"] and 0xC030 not in question["suites"]:
            unlucky.append(number)
            return "reset" if len(unlucky) == 1 else None
        return None

    suites = {**MODERN_SUITES, "TLSv1.2": (0xC030, 0x0005)}
    assert shown(TlsWorld(TlsServer(suites, quirk=once)))["tls.ciphers-strong"] == "fail weak-offered"
    assert len(unlucky) > 1


def test_tls13_only_with_a_post_quantum_group_is_modern_and_strong() -> None:
    result = shown(TlsWorld(TlsServer({"TLSv1.3": (0x1302,)})))
    assert passes(result) == {rule.id for rule in RULES}


def test_a_server_that_demands_a_known_name_and_refuses_ours_is_not_judged() -> None:
    result = shown(TlsWorld(TlsServer(quirk=lambda number, question: 112)))
    assert {text for rule, text in result.items()} == {"inconclusive server-name-refused"}


def test_plain_http_on_the_https_port() -> None:
    server = TlsServer(quirk=lambda number, question: "not-tls", first_bytes=b"HTTP/1.1 400 Bad Request\r\n")
    result = shown(TlsWorld(server))
    assert result["tls.modern-offered"] == "fail plain-http"
    assert result["cert.trusted"] == "fail plain-http"
    rest = {rule: text for rule, text in result.items() if rule not in ("tls.modern-offered", "cert.trusted")}
    assert set(rest.values()) == {"not_applicable plain-http"}
    assert server.connections == 2


def test_garbage_is_no_answer() -> None:
    server = TlsServer(quirk=lambda number, question: "not-tls", first_bytes=b"SSH-2.0-OpenSSH\r\n")
    assert set(shown(TlsWorld(server)).values()) == {"inconclusive not-tls"}


@pytest.mark.parametrize(
    ("outcome", "text"),
    [
        ("connect-reset", "not_applicable not-served"),
        ("connect-silence", "inconclusive unreachable"),
        ("connect-icmp", "inconclusive unreachable"),
        ("timeout", "inconclusive silent"),
        ("closed", "inconclusive no-common-ground"),
        ("reset", "inconclusive no-common-ground"),
        (40, "inconclusive no-common-ground"),
    ],
)
def test_a_port_that_never_agrees_is_never_a_pass(outcome: Refusal, text: str) -> None:
    result = shown(TlsWorld(TlsServer(quirk=lambda number, question: outcome)))
    assert set(result.values()) == {text}


def test_an_old_server_offers_nothing_modern() -> None:
    result = shown(TlsWorld(TlsServer({"TLSv1.0": (0x002F,)})))
    assert result["tls.modern-offered"] == "fail only-old"
    assert result["tls.tls13-offered"] == "fail not-offered"
    assert result["tls.tls10-refused"] == "fail offered"
    assert result["tls.tls11-refused"] == "pass refused"


def test_nothing_modern_is_not_said_of_a_server_that_is_silent_on_modern_hellos() -> None:
    def silent(number: int, question: Mapping[str, Any]) -> Refusal | None:
        modern = question["version"] in ("TLSv1.2", "TLSv1.3") and question["step"] not in ("control", "control-plain")
        return "timeout" if modern else None

    assert shown(TlsWorld(TlsServer({"TLSv1.0": (0x002F,)}, quirk=silent)))["tls.modern-offered"] == (
        "inconclusive silent"
    )


def test_a_server_that_cannot_stand_a_modern_hello_is_controlled_with_a_plain_one() -> None:
    server = TlsServer(
        {"SSLv3": (0x000A,), "TLSv1.0": (0x000A,)},
        quirk=lambda number, question: "timeout" if question["step"] == "control" else None,
    )
    result = shown(TlsWorld(server))
    assert result["tls.sslv3-refused"] == "fail offered"
    assert result["tls.tls11-refused"] == "pass refused"


@pytest.mark.parametrize(
    ("suite", "sign", "severity"),
    [
        (0x0002, "null", "high"),
        (0xC016, "anonymous", "high"),
        (0x0003, "export", "high"),
        (0x0062, "export", "high"),
        (0x0005, "rc4", "high"),
        (0x0009, "des", "high"),
        (0x000A, "3des", "medium"),
        (0xC034, "3des", "medium"),
        (0x001D, "short-key", "high"),
    ],
)
def test_each_kind_of_weak_cipher_fails_and_is_named(suite: int, sign: str, severity: str) -> None:
    server = TlsServer({**MODERN_SUITES, "TLSv1.2": (0xC02F, suite)})
    finding = TlsWorld(server).run().findings()["tls.ciphers-strong"]
    assert (finding.verdict, finding.result, finding.severity) == ("fail", "weak-offered", severity)
    assert sign in finding.params["why"]
    assert finding.params["versions"] == ["TLSv1.2"]
    assert len(finding.params["suites"]) == 1


def test_a_null_suite_of_tls13_is_weak() -> None:
    server = TlsServer({**MODERN_SUITES, "TLSv1.3": (0x1302, 0xC0B4)})
    assert shown(TlsWorld(server))["tls.ciphers-strong"] == "fail weak-offered"


def test_dated_ciphers_are_noted_and_not_failed() -> None:
    server = TlsServer({**MODERN_SUITES, "TLSv1.2": (0xC02F, 0xC013, 0x009C, 0x0035)})
    finding = TlsWorld(server).run().findings()["tls.ciphers-strong"]
    assert finding.verdict == "pass"
    noted = finding.params["noted"]
    assert noted["cbc-sha1"] == ["TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA", "TLS_RSA_WITH_AES_256_CBC_SHA"]
    assert "TLS_RSA_WITH_AES_128_GCM_SHA256" in noted["no-forward-secrecy"]


def opinion(**fields: Any) -> TlsSecondOpinion:
    return TlsSecondOpinion(engine="sslyze", **{"reached": True, **fields})


def test_the_second_engine_that_agreed_on_a_refused_version_makes_it_inconclusive() -> None:
    findings = TlsWorld(TlsServer(), opinion(versions={"TLSv1.0": True})).run().findings()
    assert findings["tls.tls10-refused"].verdict == "inconclusive"
    assert findings["tls.tls10-refused"].result == "engines-disagree"
    assert findings["tls.tls11-refused"].verdict == "pass"


def test_the_second_engines_highest_version_counts_as_an_agreement() -> None:
    world = TlsWorld(TlsServer({"TLSv1.0": (0x002F,)}), opinion(highest_version="TLSv1.2"))
    assert shown(world)["tls.modern-offered"] == "inconclusive engines-disagree"


@pytest.mark.parametrize("said", [{"reached": False}, {"versions": {"TLSv1.0": False}}, {"versions": {}}])
def test_what_the_second_engine_did_not_see_changes_nothing(said: dict[str, Any]) -> None:
    result = shown(TlsWorld(TlsServer(with_old(tls10=(0xC013,))), opinion(**said)))
    assert result["tls.tls10-refused"] == "fail offered"
    assert result["tls.tls11-refused"] == "pass refused"


@pytest.mark.parametrize("after", [0, 1, 5, 13, 20])
def test_a_failure_of_ours_is_never_a_pass(after: int) -> None:
    result = shown(TlsWorld(TlsServer(), fail_after=after))
    assert all(not text.startswith("pass") for rule, text in result.items() if rule.endswith("-refused"))


def test_a_suite_that_was_not_offered_is_no_agreement() -> None:
    server = TlsServer()
    honest = server._negotiate

    def lying(sent: Any, question: Mapping[str, Any]) -> Any:
        reply = honest(sent, question)
        if question["version"] == "TLSv1.0" and question["step"] == "offer":
            return reply.model_copy(update={"outcome": "server-hello", "version": "TLSv1.0", "suite": 0x4242})
        return reply

    server._negotiate = lying  # type: ignore[method-assign]
    assert shown(TlsWorld(server))["tls.tls10-refused"] == "inconclusive unreadable"


def drop_once(version: TlsVersion) -> Quirk:
    dropped: list[int] = []

    def quirk(number: int, question: Mapping[str, Any]) -> Refusal | None:
        if question["version"] == version and not dropped:
            dropped.append(number)
            return "reset"
        return None

    return quirk


def always(outcome: Refusal) -> Quirk:
    return lambda number, question: outcome


def test_every_result_of_the_closed_lists_is_reached_by_some_server() -> None:
    old: Mapping[TlsVersion, tuple[int, ...]] = {"TLSv1.0": (0x002F, 0x000A)}
    worlds = [
        TlsWorld(TlsServer()),
        TlsWorld(TlsServer(old)),
        TlsWorld(TlsServer({**MODERN_SUITES, "TLSv1.2": (0xC030, 0x009C)})),
        TlsWorld(TlsServer(), opinion(versions={"TLSv1.0": True})),
        TlsWorld(TlsServer(no_version="reset")),
        TlsWorld(TlsServer(no_version=40, quirk=drop_once("TLSv1.0"))),
        TlsWorld(TlsServer(quirk=lambda number, question: 40 if number > 12 else None)),
        TlsWorld(TlsServer(quirk=lambda n, question: "not-tls" if question["version"] == "SSLv3" else None)),
        TlsWorld(TlsServer(quirk=always("not-tls"), first_bytes=b"HTTP/1.0 400")),
        *(
            TlsWorld(TlsServer(quirk=always(how)))
            for how in ("not-tls", "connect-reset", "connect-icmp", "timeout", 112, 40)
        ),
    ]
    reached = {finding.result for world in worlds for finding in world.run().findings().values()}
    # A lane that stopped without a word shows as the reason of ours that stopped it; "incomplete" stands behind that.
    assert {result for rule in RULES for result in rule.results} - reached == {"incomplete"}


def test_one_drop_among_alerts_proves_nothing() -> None:
    result = shown(TlsWorld(TlsServer(no_version=40, quirk=drop_once("TLSv1.0"))))
    assert result["tls.tls10-refused"] == "inconclusive dropped"
    assert result["tls.tls11-refused"] == "pass refused"


@given(
    st.sets(st.sampled_from(["SSLv3", "TLSv1.0", "TLSv1.1"])),
    st.lists(
        st.sampled_from([None, None, None, "timeout", "connect-silence", "connect-reset", "not-tls", "connect-icmp"]),
        max_size=40,
    ),
    st.sampled_from([70, 40, "reset", "closed"]),
)
def test_no_pattern_of_silence_ever_hides_an_offered_version(
    offered: set[TlsVersion], pattern: list[TlsOutcome | None], refusal: Refusal
) -> None:
    def odd(number: int, question: Mapping[str, Any]) -> Refusal | None:
        return pattern[number - 1] if number <= len(pattern) else None

    suites: dict[TlsVersion, tuple[int, ...]] = {**MODERN_SUITES, **dict.fromkeys(offered, (0xC013, 0x000A))}
    result = shown(TlsWorld(TlsServer(suites, no_version=refusal, quirk=odd)))
    for rule, version in OLD_RULES.items():
        if version in offered:
            assert not result[rule].startswith("pass")
            assert not result["tls.ciphers-strong"].startswith("pass")
        else:
            assert not result[rule].startswith("fail")


@pytest.mark.parametrize(
    ("suites", "expected"),
    [
        (MODERN_SUITES, ("pass", "always", "low")),
        ({**MODERN_SUITES, "TLSv1.2": (0xC030, 0x009C)}, ("fail", "not-always", "low")),
        ({**MODERN_SUITES, "TLSv1.0": (0x002F,)}, ("fail", "not-always", "low")),
        ({"TLSv1.2": (0x009C, 0x0035)}, ("fail", "never", "medium")),
        ({"TLSv1.2": (0x009E,)}, ("pass", "always", "low")),  # DHE
    ],
)
def test_forward_secrecy_is_asked_of_every_suite(
    suites: Mapping[TlsVersion, tuple[int, ...]], expected: tuple[str, str, str]
) -> None:
    finding = TlsWorld(TlsServer(suites)).run().findings()["tls.forward-secrecy"]
    assert (finding.verdict, finding.result, finding.severity) == expected


def test_a_list_that_was_cut_short_never_shows_forward_secrecy() -> None:
    server = TlsServer(quirk=lambda number, question: "timeout" if number > 4 else None)
    assert TlsWorld(server).run().findings()["tls.forward-secrecy"].verdict == "inconclusive"
