"""Voice packets: silence as it is sent, and headers of whatever comes back."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flexiscan_probes.wire import rtp

STARTS = (b"", b"\x80", b"\x80\x00", b"\x80\xc9\x00\x01", b"\xbf\xff", b"\x00\x01")
hostile = st.builds(bytes.__add__, st.sampled_from(STARTS), st.binary(max_size=200))


@given(data=hostile)
def test_voice_headers_are_read_without_raising(data: bytes):
    header = rtp.read_voice(data)
    if header is not None:
        assert len(data) >= 12
        assert data[0] >> 6 == 2
        assert not 192 <= data[1] <= 223
        assert 0 <= header.payload_type <= 127


@given(
    number=st.integers(0, 1 << 20),
    first_sequence=st.integers(0, 0xFFFF),
    first_timestamp=st.integers(0, 0xFFFFFFFF),
    ssrc=st.integers(0, 0xFFFFFFFF),
)
def test_silence_is_a_voice_packet_of_172_bytes(number: int, first_sequence: int, first_timestamp: int, ssrc: int):
    packet = rtp.build_silence(number, first_sequence=first_sequence, first_timestamp=first_timestamp, ssrc=ssrc)
    after = rtp.build_silence(number + 1, first_sequence=first_sequence, first_timestamp=first_timestamp, ssrc=ssrc)
    assert (packet[:2], packet[12:]) == (b"\x80\x00", b"\xff" * 160)
    header, following = rtp.read_voice(packet), rtp.read_voice(after)
    assert header is not None
    assert following is not None
    assert (header.payload_type, header.ssrc) == (0, ssrc)
    assert (following.timestamp - header.timestamp) % (1 << 32) == 160
    assert rtp.is_next(header.sequence, following.sequence)
    assert not rtp.is_next(following.sequence, header.sequence)


@pytest.mark.parametrize(
    "wrong", [{"number": -1}, {"first_sequence": 65536}, {"first_timestamp": -1}, {"ssrc": 1 << 32}]
)
def test_silence_with_fields_that_do_not_fit_is_refused(wrong: dict[str, int]):
    fields = {"number": 0, "first_sequence": 0, "first_timestamp": 0, "ssrc": 0, **wrong}
    with pytest.raises(ValueError, match="32 bits"):
        rtp.build_silence(
            fields["number"],
            first_sequence=fields["first_sequence"],
            first_timestamp=fields["first_timestamp"],
            ssrc=fields["ssrc"],
        )
