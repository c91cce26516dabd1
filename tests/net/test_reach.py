from __future__ import annotations

import pytest

from flexiscan.net import reach as module
from flexiscan.net.reach import reach, source_address
from flexiscan.net.wall import ScopeWall


@pytest.mark.parametrize("address", ["127.0.0.1", "::1"])
def test_this_machine_reaches_itself(address: str) -> None:
    found = reach(address)
    assert found.usable
    assert found.source_address == address


def test_the_wall_has_nothing_to_say_because_no_packet_leaves() -> None:
    wall = ScopeWall()
    with wall.enforced():
        assert source_address("127.0.0.1") == "127.0.0.1"
    assert wall.breaches == ()


@pytest.mark.parametrize(
    ("source", "destination", "assume_public", "usable"),
    [
        ("192.168.1.2", "203.0.113.1", (), True),  # translated on the way
        ("8.8.4.4", "203.0.113.1", (), True),
        ("169.254.1.1", "203.0.113.1", (), False),
        ("127.0.0.1", "203.0.113.1", (), False),
        ("0.0.0.0", "203.0.113.1", (), False),
        (None, "203.0.113.1", (), False),
        ("2600::1", "2001:db8::1", (), True),
        ("fd00::1", "2600::1", (), False),
        ("fd00::1", "fd00::2", ("fd00::/8",), True),
        ("2001:db8::2", "2001:db8::1", ("2001:db8::/32",), True),
        ("2001:db8::2", "2600::1", ("2001:db8::/32",), False),
        ("fe80::1", "2001:db8::1", ("2001:db8::/32",), False),
        ("::1", "2001:db8::1", ("2001:db8::/32",), False),
        ("fd00::1", "fd00::1", (), True),
        ("127.0.0.1", "127.0.0.1", (), True),
    ],
)
def test_which_sources_will_do(
    source: str | None, destination: str, assume_public: tuple[str, ...], usable: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "source_address", lambda _: source)
    found = reach(destination, assume_public=assume_public)
    assert (found.usable, found.source_address) == (usable, source)
    assert found.family == ("ipv6" if ":" in destination else "ipv4")


@pytest.mark.parametrize("text", ["localhost", "", "::ffff:127.0.0.1", "fe80::1%lo"])
def test_only_plain_addresses_have_a_route(text: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        reach(text)
