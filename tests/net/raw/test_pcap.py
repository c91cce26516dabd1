from __future__ import annotations

import os
import struct
from pathlib import Path

import pytest

from flexiscan.net.raw.pcap import CaptureFile, take_off_torn_end


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "packets.pcap"


def opened(path: Path, max_bytes: int = 1000) -> CaptureFile:
    file = CaptureFile(os.open(path, os.O_RDWR | os.O_CREAT), 512, max_bytes)
    file.begin()
    return file


def test_a_file_of_bare_packets(path: Path):
    file = opened(path)
    assert file.add(b"abc", at_ns=5_000_000_007, length_bytes=9)
    os.close(file.descriptor)
    data = path.read_bytes()
    assert struct.unpack("<IHHiIII", data[:24]) == (0xA1B23C4D, 2, 4, 0, 0, 512, 101)
    assert struct.unpack("<IIII", data[24:40]) == (5, 7, 3, 9)
    assert data[40:] == b"abc"
    assert (file.packets, file.size_bytes) == (1, len(data))


def test_it_stops_at_its_size_and_says_so(path: Path):
    file = opened(path, max_bytes=24 + 2 * 26)
    assert [file.add(bytes(10), at_ns=0, length_bytes=10) for _ in range(3)] == [True, True, False]
    assert not file.add(b"", at_ns=0, length_bytes=0), "the file has one end"
    os.close(file.descriptor)
    assert (file.packets, file.is_capped, path.stat().st_size) == (2, True, file.size_bytes)


def test_a_disk_that_is_full(path: Path, monkeypatch: pytest.MonkeyPatch):
    file = opened(path)
    assert file.add(b"first", at_ns=0, length_bytes=5)
    before = path.read_bytes()
    real, parts = os.write, iter([7])

    def full(descriptor: int, data: bytes) -> int:
        size = next(parts, None)
        if size is None:
            raise OSError(28, "No space left on device")
        return real(descriptor, data[:size])

    monkeypatch.setattr(os, "write", full)
    assert not file.add(b"second", at_ns=0, length_bytes=6)
    assert (file.has_failed, file.is_capped, file.packets) == (True, False, 1)
    assert path.read_bytes() == before


@pytest.mark.parametrize("torn_bytes", range(1, 21))
def test_a_torn_end_is_taken_off(path: Path, torn_bytes: int):
    file = opened(path)
    file.add(b"first", at_ns=0, length_bytes=5)
    whole = path.read_bytes()
    file.add(b"second", at_ns=0, length_bytes=6)
    os.close(file.descriptor)
    path.write_bytes(path.read_bytes()[:-torn_bytes])
    assert take_off_torn_end(path) == (1, len(whole))
    assert path.read_bytes() == whole


def test_a_whole_file_stays_as_it_is(path: Path):
    file = opened(path)
    file.add(b"first", at_ns=0, length_bytes=5)
    os.close(file.descriptor)
    before = path.read_bytes()
    assert take_off_torn_end(path) == (1, len(before))
    assert path.read_bytes() == before
