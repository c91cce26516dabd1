"""The walk to the web port: hops, distance, and the hop limit of the answer, against scripted paths."""

from __future__ import annotations

import pytest

from flexiscan.model.facts import PathHop, TcpPath
from flexiscan.model.icmp import IcmpError
from flexiscan.model.path_reading import last_router, reply_distance, server_distance, server_reply_distance
from flexiscan.model.plan import Task
from flexiscan.sdk import NO_LIMIT, Hops, NotConnected
from flexiscan_probes import tcp_path
from tests.probes.twin import TwinConnection, TwinContext

ADDRESS = "192.0.2.10"
TASK = Task(
    id="tcp.path", probe="tcp.path", host="h", role="tcp-path", address=ADDRESS, transport="tcp", port=443, lane="path"
)


def expired(hop: int) -> IcmpError:
    return IcmpError(family="ipv4", icmp_type=11, code=0, offender=f"203.0.113.{hop}")


class Path(TwinContext):
    """A server behind `distance - 1` routers, whose answers arrive with `reply`."""

    def __init__(self, distance: int, reply: int, *, mute: frozenset[int] = frozenset(), lost: int = 0) -> None:
        super().__init__()
        self.distance, self.reply, self.mute, self.lost = distance, reply, mute, lost
        self.asked: list[Hops] = []

    async def connect(
        self,
        address: str,
        port: int,
        *,
        timeout_s: float = 4.5,
        attempts: int = 1,
        hops: Hops = NO_LIMIT,
        source: str | None = None,
    ) -> TwinConnection | NotConnected:
        self.asked.append(hops)
        limit = hops.limit or 64
        if limit < self.distance:
            return NotConnected("silence", None, 1, timeout_s) if limit in self.mute else self._expired(limit)
        if hops.least_in_reply is not None:
            if hops.least_in_reply > self.reply:
                return NotConnected("silence", None, 1, timeout_s)
            if self.lost:
                self.lost -= 1
                return NotConnected("silence", None, 1, timeout_s)
        return TwinConnection(self.clock, lambda _: ())

    def _expired(self, limit: int) -> NotConnected:
        return NotConnected("icmp", expired(limit), 1, 0.01)


@pytest.mark.parametrize(("distance", "reply"), [(1, 64), (3, 62), (4, 125), (12, 244), (20, 45)])
async def test_distance_there_and_back(distance: int, reply: int):
    path = await tcp_path.observe(Path(distance, reply), TASK)
    assert server_distance(path) == distance
    assert path.reply_hop_limit == reply
    assert server_reply_distance(path) == distance - 1
    router = last_router(path)
    assert (router.hop_limit if router else None) == (distance - 1 or None)


async def test_a_longer_way_back_is_measured_and_says_nothing():
    path = await tcp_path.observe(Path(3, 57), TASK)
    assert path.reply_hop_limit == 57
    assert server_reply_distance(path) is None


async def test_a_mute_router_is_not_the_last_one():
    path = await tcp_path.observe(Path(5, 60, mute=frozenset({4})), TASK)
    router = last_router(path)
    assert router is not None
    assert router.hop_limit == 3


async def test_nobody_accepts():
    path = await tcp_path.observe(Path(200, 60), TASK)
    assert len(path.hops) == tcp_path.MAX_HOPS
    assert (server_distance(path), last_router(path), path.reply_hop_limit) == (None, None, None)


@pytest.mark.parametrize("lost", range(1, 9))
async def test_a_lost_answer_never_makes_the_server_look_farther_away(lost: int):
    """Too small a hop limit would make the server's own answers look like those of a nearer device."""
    path = await tcp_path.observe(Path(3, 62, lost=lost), TASK)
    assert path.reply_hop_limit in (62, None)


def test_distances_of_the_usual_hop_limits():
    assert [reply_distance(limit) for limit in (64, 62, 128, 120, 255, 250, None)] == [0, 2, 0, 8, 0, 5, None]


def test_a_path_without_hops_says_nothing():
    assert server_reply_distance(TcpPath(port=443, reply_hop_limit=62)) is None
    assert last_router(TcpPath(port=443, hops=(PathHop(hop_limit=1, answer="silence"),))) is None
