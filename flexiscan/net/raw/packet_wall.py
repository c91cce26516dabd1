"""The scope wall for packets whose headers are our own work: it looks into the packet, not at what the sender says.

A raw socket tells the audit hook where a packet goes and nothing about its ports. So a packet is shown to the wall
first; the hook then lets exactly one packet to that address through.
"""

from __future__ import annotations

from flexiscan.net.raw.packet import TCP, UDP, read_head, read_ports
from flexiscan.net.wall import ScopeWall
from flexiscan.net.wall_hook import RAW, enforce_for_process

_TRANSPORTS = {TCP: "tcp", UDP: "udp"}


class PacketWall:
    """Guards a whole process. `wall` may be replaced as more of the target becomes known."""

    def __init__(self, wall: ScopeWall) -> None:
        self.wall = wall
        self._admitted: str | None = None

    def enforce_for_process(self) -> None:
        """From now on nothing leaves this process but what was admitted. Open raw sockets before."""
        enforce_for_process(self)

    def admit(self, packet: bytes) -> str:
        """Let this packet through, once; where it goes. Raises ScopeViolation, NoPacket."""
        head = read_head(packet)
        ports = read_ports(packet, head)
        transport = _TRANSPORTS.get(head.protocol, "")
        self.wall.check_destination("raw", head.destination, None if ports is None else ports[1], transport)
        self._admitted = head.destination
        return head.destination

    def check_destination(self, event: str, host: object, port: object, transport: str) -> None:
        """As the wall does; for a raw socket, whether that packet was admitted just before."""
        if transport != RAW:
            self.wall.check_destination(event, host, port, transport)
            return
        admitted, self._admitted = self._admitted, None
        if admitted is None or host != admitted:
            self.refuse(event, f"a packet to {host!s} that nobody looked into")

    def refuse(self, event: str, what: str) -> None:
        """Always raise ScopeViolation."""
        self.wall.refuse(event, what)
