"""A sweep from a prefix of its own, against scripted networks with ICMP limits and one-way routes."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable
from ipaddress import IPv6Address, IPv6Network
from typing import Any

import pytest

from flexiscan.model.facts import RtpSweep
from flexiscan.model.facts_sources import OwnSourcesUse
from flexiscan.sdk import NO_LIMIT, CannotLook, Hops, NotConnected
from flexiscan_probes import rtp
from flexiscan_probes.own_sources import OwnSources
from tests.probes.test_rtp_probe import FIREWALL, in_range, task
from tests.probes.twin import Network, TwinConnection, TwinContext, TwinDatagramPort, prohibited

ADDRESS = "2001:db8:2::10"
PREFIX = IPv6Network("2001:db8:6::/64")


class Site(TwinContext):
    """A place with a prefix. `routed(now_s)`: whether answers to it come back now."""

    def __init__(self, network: Network, routed: Callable[[float], bool] = lambda _: True) -> None:
        super().__init__(network=network)
        self.routed = routed
        self.sources: list[str] = []
        self.refuses_here = False

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
        assert (address, port) == (ADDRESS, 443)
        assert source is not None
        self.sources.append(source)
        if self.refuses_here:
            raise CannotLook("no-route")
        if not self.routed(self.clock.now_s):
            self.clock.now_s += timeout_s
            return NotConnected("silence", None, 1, timeout_s)
        return TwinConnection(self.clock, lambda _: ())

    def datagrams(self, address: str) -> TwinDatagramPort:
        site, network = self, self._network

        class Port(TwinDatagramPort):
            async def send(self, payload: bytes, *, port: int, hop_limit: int | None = None, source: str | None = None):
                site.asked_from = source
                await super().send(payload, port=port, hop_limit=hop_limit, source=source)

        self.ports.append(Port(address, self.clock, network))
        return self.ports[-1]

    asked_from: str | None = None


def limited(site: Callable[[], Site], *, silent: frozenset[int] = frozenset(), together: int | None = None) -> Network:
    """A refusing firewall: ten errors a second to one address, `together` to all of them."""
    spent: Counter[tuple[str | None, int]] = Counter()

    def network(_: bytes, port: int, at_s: float):
        source = site().asked_from
        if port in silent or (source is not None and not site().routed(at_s)):
            return ()
        spent[source, int(at_s)] += 1
        spent["all", int(at_s)] += 1
        if spent[source, int(at_s)] > 10 or (together is not None and spent["all", int(at_s)] > together):
            return ()
        return [(0.01, prohibited(ADDRESS, port, offender=FIREWALL))]

    return network


async def sweep(
    *,
    silent: frozenset[int] = frozenset(),
    together: int | None = None,
    routed: Callable[[float], bool] = lambda _: True,
    control_port: int | None = 443,
    refuses_here: bool = False,
) -> tuple[RtpSweep, OwnSourcesUse, Site]:
    places: list[Site] = []
    places.append(Site(limited(lambda: places[0], silent=silent, together=together), routed))
    site = places[0]
    site.refuses_here = refuses_here
    wanted = task(ADDRESS)
    params = {**wanted.params, "sample": 10_000, "source_prefix": str(PREFIX), "source_control_port": control_port}
    fact = await rtp.observe(site, wanted.model_copy(update={"params": params}))
    assert fact.own_sources is not None
    return fact, fact.own_sources, site


async def test_every_port_is_answered_under_a_limit_for_each_source():
    fact, own, site = await sweep()
    assert (fact.ports_asked, fact.silent, fact.passes) == (10_000, 0, 1)
    assert own.state == "used"
    assert own.controls_asked == own.controls_answered >= 10  # one in five seconds, and one at the end
    used = [source for source in site.ports[0].sources if source is not None] + site.sources
    assert own.datagrams + own.controls_asked == len(used) == len(set(used))
    assert all(IPv6Address(source) in PREFIX for source in used)


async def test_the_machine_s_own_address_is_used_until_icmp_comes_back():
    fact, own, site = await sweep(silent=frozenset(range(65536)))
    assert own == OwnSourcesUse(prefix=str(PREFIX), state="not-needed")
    assert set(site.ports[0].sources) == {None}
    assert (fact.silent, site.sources) == (10_000, [])


async def test_ports_that_stay_silent_are_asked_three_times_among_those_that_answer():
    held = frozenset(range(41_000, 46_000))
    fact, own, site = await sweep(silent=held)
    assert (fact.silent, fact.passes, own.state) == (5_000, 3, "used")
    assert own.again_asked - own.again_answered == 0
    assert own.again_asked >= 128
    tries = Counter(port for port in site.ports[0].ports_asked() if in_range(port))
    assert {tries[port] for port in held} == {3}


async def test_a_limit_over_all_sources_together_shows_in_those_asked_again():
    _, own, _ = await sweep(together=50)
    assert own.again_answered < 0.9 * own.again_asked
    assert own.state in ("used", "lost")


@pytest.mark.parametrize(
    ("case", "state"),
    [
        ({"routed": lambda _: False}, "not-routed-back"),
        ({"control_port": None}, "no-control"),
        ({"refuses_here": True}, "refused-here"),
    ],
)
async def test_without_a_control_nothing_leaves_from_the_prefix(case: dict[str, Any], state: str):
    fact, own, site = await sweep(**case)
    assert (own.state, own.datagrams) == (state, 0)
    assert set(site.ports[0].sources) == {None}
    assert fact.silent > 9_000  # the usual address, under the limit
    assert fact.ports_asked == 10_000


async def test_a_connect_that_is_answered_does_not_vouch_for_datagrams():
    class DatagramsOnlyOneWay(Site):
        async def connect(self, *args: object, **more: object) -> TwinConnection | NotConnected:
            return TwinConnection(self.clock, lambda _: ())

    site = DatagramsOnlyOneWay(lambda *_: (), lambda _: False)
    site._network = limited(lambda: site)
    wanted = task(ADDRESS)
    params = {**wanted.params, "source_prefix": str(PREFIX), "source_control_port": 443}
    fact = await rtp.observe(site, wanted.model_copy(update={"params": params}))
    assert fact.own_sources is not None
    assert fact.own_sources.state == "not-routed-back"
    assert fact.own_sources.datagrams <= 16


async def test_a_prefix_that_is_cut_off_in_the_middle_is_lost():
    fact, own, site = await sweep(routed=lambda now_s: now_s < 1030)
    assert own.state == "lost"
    assert own.controls_answered < own.controls_asked
    assert fact.silent > 0
    assert site.ports[0].sources[-1] is None


def test_sources_do_not_come_back_before_all_were_used():
    small = IPv6Network("2001:db8:6::100/120")
    sources = OwnSources(TwinContext(), ADDRESS, small, 443, random.Random(3))
    first = [sources.fresh() for _ in range(255)]
    assert {IPv6Address(source) for source in first} == set(small) - {small[0]}
