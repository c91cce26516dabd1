from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flexiscan.model.facts_tls import TlsVersion
from flexiscan_probes.wire import tls_numbers as n
from flexiscan_probes.wire.tls_hello import ClientHello, HelloError, KeyShare, write_client_hello, write_ssl2_hello
from tests.codec.other_tls import ClientHello as OtherClientHello
from tests.codec.other_tls import Parser

RANDOM = bytes(range(32))
MODERN_VERSIONS: tuple[TlsVersion, ...] = ("SSLv3", "TLSv1.0", "TLSv1.1", "TLSv1.2", "TLSv1.3")

hellos = st.builds(
    ClientHello,
    version=st.sampled_from([0x0300, 0x0301, 0x0302, 0x0303, 0x0304]),
    suites=st.lists(st.integers(0, 0xFFFF), min_size=1, max_size=64).map(tuple),
    random=st.binary(min_size=32, max_size=32),
    server_name=st.none() | st.from_regex(r"\A[a-z0-9]{1,40}(\.[a-z]{2,20}){1,3}\Z"),
    groups=st.lists(st.integers(1, 0xFFFF), max_size=40).map(tuple),
    alpn=st.lists(st.sampled_from(["h2", "http/1.1"]), max_size=2, unique=True).map(tuple),
    session_id=st.binary(max_size=32),
    extended=st.booleans(),
    ask_status=st.booleans(),
)


def read_back(wire: bytes) -> OtherClientHello:
    """The hello as another implementation reads it."""
    assert wire[0] == n.HANDSHAKE
    assert int.from_bytes(wire[3:5], "big") == len(wire) - 5
    parser = Parser(bytearray(wire[5:]))
    assert parser.get(1) == n.CLIENT_HELLO
    hello = OtherClientHello().parse(parser)
    assert parser.getRemainingLength() == 0
    return hello


@given(hellos)
def test_another_implementation_reads_what_was_written(hello: ClientHello) -> None:
    other = read_back(write_client_hello(hello))
    assert tuple(other.cipher_suites) == hello.suites
    assert bytes(other.random) == hello.random
    assert bytes(other.session_id) == hello.session_id
    assert other.client_version == divmod(min(hello.version, 0x0303), 256)
    if hello.extended and hello.server_name is not None:
        assert bytes(other.server_name).decode() == hello.server_name
    if not hello.extended:
        assert other.extensions is None


@given(hellos)
def test_no_hello_has_a_size_that_breaks_servers(hello: ClientHello) -> None:
    wire = write_client_hello(hello)
    handshake_bytes = len(wire) - 5
    if hello.extended:
        assert not 256 <= handshake_bytes <= 511
        assert handshake_bytes % 256 not in (10, 14, 18)
    else:
        assert handshake_bytes < 256


@pytest.mark.parametrize("version", MODERN_VERSIONS)
def test_chunks_hold_every_suite_once_and_at_most_64(version: TlsVersion) -> None:
    chunks = n.chunks_for(version)
    flat = [suite for chunk in chunks for suite in chunk]
    assert len(flat) == len(set(flat)) == len(n.suites_for(version))
    assert max(len(chunk) for chunk in chunks) <= 64
    for chunk in chunks:
        write_client_hello(ClientHello(n.VERSION_NUMBERS[version], chunk, RANDOM))


def test_the_pools_are_complete() -> None:
    from flexiscan.model.tls_suite_table import SUITE_NAMES

    everything = set(n.suites_for("TLSv1.2")) | set(n.suites_for("TLSv1.3"))
    assert everything == set(SUITE_NAMES) - {0x0000, 0x00FF, 0x5600}
    assert set(n.suites_for("SSLv3")) == set(n.suites_for("TLSv1.0")) == set(n.suites_for("TLSv1.1"))
    assert set(n.suites_for("SSLv3")) < set(n.suites_for("TLSv1.2"))
    assert 0x0003 in n.suites_for("SSLv3")


def test_a_tls13_hello_may_carry_no_key_share_or_a_given_one() -> None:
    empty = read_back(write_client_hello(ClientHello(0x0304, (0x1301,), RANDOM, groups=(29,))))
    assert [e.client_shares for e in empty.extensions if e.extType == 51] == [[]]
    share = KeyShare(29, bytes(32))
    given_share = ClientHello(0x0304, (0x1301,), RANDOM, groups=(29,), key_shares=(share,))
    shares = [e.client_shares for e in read_back(write_client_hello(given_share)).extensions if e.extType == 51]
    assert [(s.group, bytes(s.key_exchange)) for s in shares[0]] == [(29, bytes(32))]


def test_a_tls12_hello_names_no_supported_versions() -> None:
    hello = read_back(write_client_hello(ClientHello(0x0303, (0xC02F,), RANDOM, server_name="flexi.test")))
    assert {e.extType for e in hello.extensions}.isdisjoint({43, 51})


def test_ssl2_hello_is_as_the_draft_says() -> None:
    wire = write_ssl2_hello(bytes(16))
    assert int.from_bytes(wire[:2], "big") == 0x8000 | (len(wire) - 2)
    assert wire[2:5] == b"\x01\x00\x02"
    kinds, session, challenge = (int.from_bytes(wire[i : i + 2], "big") for i in (5, 7, 9))
    assert (kinds, session, challenge) == (3 * len(n.SSL2_KINDS), 0, 16)
    assert len(wire) == 11 + kinds + challenge


@pytest.mark.parametrize(
    "broken",
    [
        ClientHello(0x0303, (), RANDOM),
        ClientHello(0x0303, tuple(range(65)), RANDOM),
        ClientHello(0x0303, (1,), b"short"),
        ClientHello(0x0303, (1,), RANDOM, session_id=bytes(33)),
        ClientHello(0x0002, (1,), RANDOM),
        ClientHello(0x0303, (1,), RANDOM, server_name="straße.test"),
        ClientHello(0x0303, (1,), RANDOM, server_name=""),
        ClientHello(0x0303, (1,), RANDOM, server_name="a" * 256),
    ],
)
def test_a_hello_that_cannot_be_written_is_refused(broken: ClientHello) -> None:
    with pytest.raises(HelloError):
        write_client_hello(broken)


def test_an_ssl2_hello_that_cannot_be_written_is_refused() -> None:
    with pytest.raises(HelloError):
        write_ssl2_hello(bytes(15))
    with pytest.raises(HelloError):
        write_ssl2_hello(bytes(16), ())
