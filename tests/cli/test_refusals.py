"""Bad input: a clear sentence, a next step, the right exit code, and not one packet, DNS included."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.cli.calling import ALLOWED, CommandLine
from tests.engine.made_up_host import MadeUpHost
from tests.policy.web_world import HOST


@pytest.fixture(autouse=True)
def nothing_is_sent(hardened: MadeUpHost, home: Path) -> object:
    """Every test here ends before the first question and before a record is begun."""
    yield
    assert hardened.asked == []
    assert not (home / "state").exists()


class TestUsage:
    """Exit code 2."""

    @pytest.mark.parametrize(
        ("arguments", "words"),
        [
            (("scan",), "no host was named"),
            (("scan", "", *ALLOWED), "empty"),
            (("scan", "https://flexi.example.test/", *ALLOWED), "leave out https://"),
            (("scan", "flexi.example.test/admin", *ALLOWED), "leave out"),
            (("scan", "flexi.example.test:8443", *ALLOWED), "port goes into the scope file"),
            (("scan", "flexi example", *ALLOWED), "not a host name"),
            (("scan", "-flexi.example.test", *ALLOWED), "No such option"),
            (("scan", "fe80::1%eth0", *ALLOWED), "network interface"),
            (("scan", "192.0.2.300", *ALLOWED), "neither"),
            (("scan", "a" * 64 + ".example.test", *ALLOWED), "not a host name"),
            (("scan", HOST, "--no-such-option"), "No such option"),
            (("scan", HOST, *ALLOWED, "--depth", "deepest"), "deepest"),
            (("scan", HOST, *ALLOWED, "--fail-on", "awful"), "awful"),
            (("scan", HOST, *ALLOWED, "-4", "-6"), "leave nothing"),
            (("scan", HOST, *ALLOWED, "--only", "wbe.*"), "no rule matches wbe.*"),
            (("scan", HOST, *ALLOWED, "--only", "web.*,tsl.*"), "no rule matches tsl.*"),
            (("scan", HOST, *ALLOWED, "--skip", "web"), "no rule matches web"),
            (("scan", HOST, *ALLOWED, "--udp-pps", "2001"), "2001"),
            (("scan", HOST, *ALLOWED, "--udp-pps", "0"), "0"),
            (("scan", HOST, *ALLOWED, "--http-rps", "101"), "101"),
            (("scan", HOST, *ALLOWED, "--tls-concurrency", "17"), "17"),
            (("scan", HOST, *ALLOWED, "--ca-bundle", "nowhere.pem"), "cannot read nowhere.pem"),
            (("scan", HOST, *ALLOWED, "--assume-public", "192.0.2.1/24"), "--assume-public"),
            (("scan", HOST, *ALLOWED, "--source-prefix", "2001:db8::/32"), "/48 to /120"),
            (("scan", HOST, *ALLOWED, "--source-prefix", "192.0.2.0/24"), "IPv6 prefix"),
            (("scan", HOST, *ALLOWED, "--source-prefix", "2001:db8:f::/64"), "route add local 2001:db8:f::/64 dev lo"),
            (("scan", HOST, *ALLOWED, "-4", "--source-prefix", "2001:db8:f::/64"), "-4 leaves out"),
            (("scan", HOST, *ALLOWED, "--root-hints", "hints"), "--root-hints"),
            (("scan", HOST, *ALLOWED, "--format", "json"), "lacks a path"),
            (("scan", HOST, *ALLOWED, "--format", "papyrus=x"), "no format 'papyrus'"),
            (("scan", HOST, *ALLOWED, "--format", "json=-", "--format", "text=-"), "only one format"),
            (("scan", HOST, *ALLOWED, "--format", "json=nowhere/x.json"), "does not exist"),
            (("scan", HOST, *ALLOWED, "--format", "json=."), "is a folder"),
            (("scan", HOST, "--scope", "nowhere.toml"), "cannot read the scope file nowhere.toml"),
            (("scna",), "scna"),
            (("explain", "web.admin-unreachabel"), "web.admin-unreachable"),
            (("judge",), "RECORD"),
            (("judge", "nowhere"), "cannot read the record"),
            (("report", "nowhere", "--format", "json=-"), "cannot read the record"),
        ],
        ids=lambda value: " ".join(value)[:60] if isinstance(value, tuple) else None,
    )
    def test_bad_input(self, arguments: tuple[str, ...], words: str, flexiscan: CommandLine) -> None:
        answer = flexiscan(*arguments)
        assert answer.code == 2
        assert words in answer.err
        assert answer.out == ""
        assert "Traceback" not in answer.err

    @pytest.mark.parametrize(
        "resolver",
        ["resolver.example.test", "192.0.2.53:53", "192.0.2.53#0", "192.0.2.53#65536", "192.0.2.53#x", "#53"],
    )
    def test_a_bad_resolver(self, resolver: str, flexiscan: CommandLine) -> None:
        answer = flexiscan("scan", HOST, "--authorised-by", "A", "--resolver", resolver)
        assert (answer.code, "--resolver" in answer.err) == (2, True)

    def test_a_ca_bundle_without_a_certificate(self, home: Path, flexiscan: CommandLine) -> None:
        (home / "ca.pem").write_text("no certificate")
        answer = flexiscan("scan", HOST, *ALLOWED, "--ca-bundle", "ca.pem")
        assert (answer.code, "holds no PEM certificate" in answer.err) == (2, True)

    def test_a_scope_file_beside_another_authorisation(self, home: Path, flexiscan: CommandLine) -> None:
        (home / "s.toml").write_text(f'schema = 1\n[authorisation]\nauthorised_by = "A"\n[[target]]\nhost = "{HOST}"\n')
        answer = flexiscan("scan", HOST, *ALLOWED, "--scope", "s.toml")
        assert (answer.code, "exclude each other" in answer.err) == (2, True)

    @pytest.mark.parametrize("stdin", ["", "\n\n", "# only a comment\n"])
    def test_no_host_on_stdin(self, stdin: str, flexiscan: CommandLine) -> None:
        answer = flexiscan("scan", "-", *ALLOWED, stdin=stdin)
        assert (answer.code, "no host was named" in answer.err) == (2, True)

    def test_a_bad_host_among_good_ones_on_stdin(self, flexiscan: CommandLine) -> None:
        answer = flexiscan("scan", "-", *ALLOWED, stdin=f"{HOST}\nhttps://other.example.test\n")
        assert (answer.code, "other.example.test" in answer.err) == (2, True)


class TestRefused:
    """Exit code 4: nobody allowed it."""

    @pytest.mark.parametrize(
        "arguments",
        [
            (HOST,),
            ("192.0.2.10",),
            ("2001:db8::1",),
            (HOST, "--authorised-by", ""),
            (HOST, "--authorised-by", "  "),
            ("localhost", HOST),
            ("localhost.example.test",),
            ("ip6-localhost",),
            ("0.0.0.0",),
            ("::ffff:192.0.2.1",),
            (HOST, "--dry-run"),
        ],
        ids=" ".join,
    )
    def test_without_authorisation(self, arguments: tuple[str, ...], flexiscan: CommandLine) -> None:
        answer = flexiscan("scan", *arguments)
        assert answer.code == 4
        assert "nobody has allowed" in answer.err
        assert "--authorised-by" in answer.err
        assert answer.out == ""

    def scope(self, home: Path, *lines: str) -> Path:
        path = home / "scope.toml"
        path.write_text("\n".join(["schema = 1", *lines]))
        return path

    def test_an_expired_authorisation(self, home: Path, flexiscan: CommandLine) -> None:
        path = self.scope(
            home, "[authorisation]", 'authorised_by = "A"', "valid_until = 2020-01-31", "[[target]]", f'host = "{HOST}"'
        )
        answer = flexiscan("scan", "--scope", path)
        assert answer.code == 4
        assert "ended on 2020-01-31" in answer.err

    def test_a_host_that_the_scope_file_does_not_name(self, home: Path, flexiscan: CommandLine) -> None:
        path = self.scope(home, "[authorisation]", 'authorised_by = "A"', "[[target]]", f'host = "{HOST}"')
        for host in ("other.example.test", "localhost", f"www.{HOST}"):
            answer = flexiscan("scan", HOST, host, "--scope", path)
            assert answer.code == 4
            assert f"{host} does not stand in the scope file" in answer.err

    def test_outside_the_agreed_hours(self, home: Path, flexiscan: CommandLine) -> None:
        path = self.scope(
            home,
            "[authorisation]",
            'authorised_by = "A"',
            "[[target]]",
            f'host = "{HOST}"',
            'window = "01:00-02:00 UTC"',
        )
        answer = flexiscan("scan", "--scope", path)
        assert answer.code == 4
        assert "01:00-02:00 UTC" in answer.err


def test_a_record_folder_that_cannot_be_made(home: Path, flexiscan: CommandLine) -> None:
    (home / "file").write_text("")
    answer = flexiscan("scan", HOST, *ALLOWED, "--record", home / "file" / "run")
    assert answer.code == 2
    assert "cannot write the record" in answer.err
