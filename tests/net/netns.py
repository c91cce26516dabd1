"""A scanner, a firewall and a target in network namespaces of their own, for tests of what the kernel says.

    scanner 192.0.2.2, 2001:db8:1::2 --- firewall --- target 198.51.100.2, 2001:db8:2::2

Nothing in them has a way out. The names carry the process id, so that two test runs do not meet.
"""

from __future__ import annotations

import asyncio
import contextlib
import ctypes
import os
import shutil
import socket
import subprocess
import threading
from collections.abc import Callable, Coroutine, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import pytest

_Result = TypeVar("_Result")
_CLONE_NEWNET = 0x40000000

SCANNER = {"ipv4": "192.0.2.2", "ipv6": "2001:db8:1::2"}
FIREWALL = {"ipv4": "192.0.2.1", "ipv6": "2001:db8:1::1"}
TARGET = {"ipv4": "198.51.100.2", "ipv6": "2001:db8:2::2"}
ABSENT = {"ipv4": "198.51.100.77", "ipv6": "2001:db8:2::77"}
"""On the target's link, but nobody has it."""

DROPPED, RESET, PORT_UNREACHABLE, PROHIBITED, NO_ROUTE = 1001, 1002, 1003, 1004, 1005
"""Ports that the firewall treats in its ways, TCP and UDP."""
OWN_REJECT, OWN_DROP = 1010, 1011
"""Ports that the scanner's own packet filter treats so."""

_FIREWALL_RULES = f"""
table inet filter {{
chain forward {{
  type filter hook forward priority 0; policy accept;
  meta l4proto {{ tcp, udp }} th dport {DROPPED} drop
  tcp dport {RESET} reject with tcp reset
  meta l4proto {{ tcp, udp }} th dport {PORT_UNREACHABLE} reject with icmpx port-unreachable
  meta l4proto {{ tcp, udp }} th dport {PROHIBITED} reject with icmpx admin-prohibited
  meta l4proto {{ tcp, udp }} th dport {NO_ROUTE} reject with icmpx no-route
}}
}}
"""
_SCANNER_RULES = f"""
table inet filter {{
chain output {{
  type filter hook output priority 0; policy accept;
  meta l4proto {{ tcp, udp }} th dport {OWN_REJECT} reject with icmpx admin-prohibited
  meta l4proto {{ tcp, udp }} th dport {OWN_DROP} drop
}}
}}
"""


def reason_to_skip() -> str:
    """Why namespaces cannot be made here; empty when they can."""
    if not hasattr(os, "geteuid") or os.geteuid() != 0:
        return "network namespaces need root here: ICMP from a firewall is left untested"
    missing = [tool for tool in ("ip", "nft") if shutil.which(tool) is None]
    return f"not installed: {', '.join(missing)}" if missing else ""


@dataclass(frozen=True, slots=True)
class Place:
    """One namespace."""

    name: str

    def run(self, *command: str, stdin: str = "") -> None:
        """Run a command in it; its failure fails the test."""
        subprocess.run(("ip", "netns", "exec", self.name, *command), input=stdin, text=True, check=True)

    def call(self, work: Callable[[], _Result]) -> _Result:
        """Call a function in a thread that lives in the namespace; the sockets it makes stay there."""
        outcome: list[_Result] = []
        failure: list[BaseException] = []

        def inside() -> None:
            try:
                enter(self.name)
                outcome.append(work())
            except BaseException as error:  # noqa: BLE001 - it is raised again in the test's own thread
                failure.append(error)

        thread = threading.Thread(target=inside)
        thread.start()
        thread.join()
        if failure:
            raise failure[0]
        return outcome[0]

    def run_async(self, main: Callable[[], Coroutine[Any, Any, _Result]]) -> _Result:
        """Run a coroutine function in an event loop that lives in the namespace."""
        return self.call(lambda: asyncio.run(main()))


@dataclass(frozen=True, slots=True)
class Ground:
    """The three places."""

    scanner: Place
    firewall: Place
    target: Place

    def listen(self, address: str, port: int) -> socket.socket:
        """A listening TCP socket at the target."""
        family = socket.AF_INET6 if ":" in address else socket.AF_INET
        return self.target.call(lambda: socket.create_server((address, port), family=family))


def enter(name: str) -> None:
    """Move the calling thread into a namespace (setns(2))."""
    with Path("/var/run/netns", name).open("rb") as handle:
        if ctypes.CDLL(None, use_errno=True).setns(handle.fileno(), _CLONE_NEWNET) != 0:
            raise OSError(ctypes.get_errno(), f"setns {name}")


def _ip(*arguments: str) -> None:
    subprocess.run(("ip", *arguments), check=True)


def _link(left: Place, right: Place, number: int, v4: str) -> None:
    """A cable: <number> is the IPv6 subnet, v4 the IPv4 one; the right end is the router (.1)."""
    tag = f"fx{os.getpid() % 100000:05d}{number}"
    _ip("link", "add", f"{tag}l", "netns", left.name, "type", "veth", "peer", "name", f"{tag}r", "netns", right.name)
    for place, end, host in ((left, "l", 2), (right, "r", 1)):
        place.run("ip", "address", "add", f"{v4}.{host}/24", "dev", f"{tag}{end}")
        place.run("ip", "address", "add", f"2001:db8:{number}::{host}/64", "dev", f"{tag}{end}", "nodad")
        place.run("ip", "link", "set", f"{tag}{end}", "up")
    left.run("ip", "route", "add", "default", "via", f"{v4}.1")
    left.run("ip", "-6", "route", "add", "default", "via", f"2001:db8:{number}::1")


@contextlib.contextmanager
def ground() -> Iterator[Ground]:
    """Make the three places, and remove them."""
    reason = reason_to_skip()
    if reason:
        pytest.skip(reason)
    places = [Place(f"fxnet{os.getpid()}-{role}") for role in ("scanner", "firewall", "target")]
    with contextlib.ExitStack() as undo:
        for place in places:
            _ip("netns", "add", place.name)
            undo.callback(_ip, "netns", "delete", place.name)
            place.run("ip", "link", "set", "lo", "up")
            place.run("sysctl", "-qw", "net.ipv4.icmp_ratelimit=0", "net.ipv6.icmp.ratelimit=0")
        scanner, firewall, target = places
        _link(scanner, firewall, 1, "192.0.2")
        _link(target, firewall, 2, "198.51.100")
        firewall.run("sysctl", "-qw", "net.ipv4.ip_forward=1", "net.ipv6.conf.all.forwarding=1")
        firewall.run("nft", "-f", "-", stdin=_FIREWALL_RULES)
        scanner.run("nft", "-f", "-", stdin=_SCANNER_RULES)
        yield Ground(scanner, firewall, target)
