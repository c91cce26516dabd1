"""What the scanner and the process with raw sockets say to each other: one JSON object a line, read strictly.

Both ends refuse what is not in here. The process ends when it is told anything else: it holds a privilege, and a
parent that does not speak this language is not its parent.
"""

from __future__ import annotations

from typing import Annotated, Literal, TypeVar

from pydantic import ConfigDict, Field, TypeAdapter, ValidationError

from flexiscan.model.base import Frozen
from flexiscan.model.facts_raw import IcmpCapture, PacketCapture, SynAnswer
from flexiscan.model.failure import FailureKind

MAX_LINE_BYTES = 1024 * 1024
"""A wall with some thousand openings, or 256 ICMP errors, stays far below."""
MAX_PROBES = 256
"""SYNs that may wait for an answer at once."""
MAX_ADDRESS_CHARACTERS = 45
"""The longest form of an IPv6 address (RFC 4291 2.2)."""
MAX_DETAIL_CHARACTERS = 300

Number = Annotated[int, Field(ge=0, le=2**31 - 1)]
Port = Annotated[int, Field(ge=1, le=65535)]
Literally = Annotated[str, Field(min_length=2, max_length=MAX_ADDRESS_CHARACTERS, pattern=r"^[0-9a-fA-F:.]+$")]


_Kind = TypeVar("_Kind")


class NotUnderstood(ValueError):
    """A line that is no message."""


class _Message(Frozen):
    model_config = ConfigDict(strict=True)


class Begin(_Message):
    """The first order: how long to live, and where packets are written."""

    order: Literal["begin"] = "begin"
    version: Literal[1] = 1
    deadline_s: Annotated[float, Field(gt=0, le=7 * 86400)]
    capture_descriptor: Annotated[int, Field(ge=3, le=1023)] | None = None
    """An open file that the process inherited; None: nothing is written."""
    capture_name: Annotated[str, Field(max_length=100, pattern=r"^[\w.-]*$")] = ""
    max_capture_bytes: Annotated[int, Field(ge=0, le=2**32)] = 0


class Widen(_Message):
    """The scope wall, as `ScopeWall.to_json` writes it, in place of the one before."""

    order: Literal["widen"] = "widen"
    wall: str


class SendSyn(_Message):
    """Send one SYN now. The same id again: send the same SYN again."""

    order: Literal["syn"] = "syn"
    id: Number
    address: Literally
    port: Port


class ForgetSyn(_Message):
    """No answer to this SYN is waited for any more."""

    order: Literal["forget"] = "forget"
    id: Number


class TellErrors(_Message):
    """Tell the ICMP errors about packets to an address."""

    order: Literal["errors"] = "errors"
    address: Literally


class Finish(_Message):
    """Close the capture, say what is in it, and end."""

    order: Literal["finish"] = "finish"


class Begun(_Message):
    """Ready. What the process is now: for the log and the tests."""

    report: Literal["begun"] = "begun"
    uid: Number
    capabilities: tuple[int, ...]


class Widened(_Message):
    """The wall stands."""

    report: Literal["widened"] = "widened"


class Sent(_Message):
    """A SYN has left."""

    report: Literal["sent"] = "sent"
    id: Number


class Refused(_Message):
    """A SYN has not left."""

    report: Literal["refused"] = "refused"
    id: Number
    reason: FailureKind
    detail: Annotated[str, Field(max_length=MAX_DETAIL_CHARACTERS)] = ""


class Answered(_Message):
    """Somebody answered a SYN."""

    report: Literal["answered"] = "answered"
    id: Number
    answer: SynAnswer


class Errors(_Message):
    """ICMP errors about packets to an address."""

    report: Literal["errors"] = "errors"
    address: Literally
    capture: IcmpCapture


class Finished(_Message):
    """The last report."""

    report: Literal["finished"] = "finished"
    capture: PacketCapture


Order = Annotated[Begin | Widen | SendSyn | ForgetSyn | TellErrors | Finish, Field(discriminator="order")]
Report = Annotated[Begun | Widened | Sent | Refused | Answered | Errors | Finished, Field(discriminator="report")]

_ORDER: TypeAdapter[Order] = TypeAdapter(Order)
_REPORT: TypeAdapter[Report] = TypeAdapter(Report)


def write_message(message: Order | Report) -> bytes:
    """One line, with its end."""
    return message.model_dump_json().encode() + b"\n"


def read_order(line: bytes) -> Order:
    """The order on a line. Raises NotUnderstood."""
    return _read(line, _ORDER)


def read_report(line: bytes) -> Report:
    """The report on a line. Raises NotUnderstood."""
    return _read(line, _REPORT)


def _read(line: bytes, kind: TypeAdapter[_Kind]) -> _Kind:
    if len(line) > MAX_LINE_BYTES:
        raise NotUnderstood(f"a line of {len(line)} bytes")
    try:
        return kind.validate_json(line)
    except ValidationError as error:
        first = error.errors(include_input=False, include_url=False)[0]
        where = ".".join(str(part) for part in first["loc"])
        raise NotUnderstood(f"{where}: {first['msg']}") from None
