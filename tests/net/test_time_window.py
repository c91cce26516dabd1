from __future__ import annotations

import contextlib
import datetime as dt

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flexiscan.net.time_window import read_time_window


def utc(hour: int, minute: int = 0, month: int = 1) -> dt.datetime:
    return dt.datetime(2026, month, 15, hour, minute, tzinfo=dt.UTC)


def test_a_window_holds_its_start_and_not_its_end() -> None:
    window = read_time_window("01:00-05:00 UTC")
    assert [window.contains(utc(0, 59)), window.contains(utc(1)), window.contains(utc(4, 59))] == [False, True, True]
    assert not window.contains(utc(5))


def test_a_window_may_run_past_midnight() -> None:
    window = read_time_window("22:00-05:00 UTC")
    assert window.contains(utc(23))
    assert window.contains(utc(0))
    assert not window.contains(utc(12))


def test_a_window_follows_the_summer_time_of_its_zone() -> None:
    window = read_time_window("01:00-02:00 Europe/Stockholm")
    assert window.contains(utc(0, 30, month=1))
    assert not window.contains(utc(0, 30, month=7))
    assert window.contains(utc(23, 30, month=7))


@pytest.mark.parametrize(
    "text",
    [
        "",
        "01:00-05:00",
        "1:00-5:00 UTC",
        "25:00-26:00 UTC",
        "01:00-01:00 UTC",
        "01:00-05:00 No/Where",
        "x 01:00-05:00 UTC",
    ],
)
def test_a_window_that_cannot_be_read_is_an_error(text: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        read_time_window(text)


@given(st.text(max_size=40))
def test_any_text_is_read_or_refused(text: str) -> None:
    with contextlib.suppress(ValueError):
        read_time_window(text)
