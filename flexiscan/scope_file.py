"""Reads the scope file: what the customer allowed in writing (DESIGN 5: Scope file)."""

from __future__ import annotations

import datetime as dt
import hashlib
import ipaddress
import re
import tomllib
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ValidationError,
    ValidationInfo,
    field_validator,
)

from flexiscan.errors import FlexiScanError, ScopeRefused, UsageError
from flexiscan.host_name import is_address, normalise_host
from flexiscan.model.target import AgreedCall, App, Attestation, Authorisation, DeclaredPort, Rates, Scope, Target
from flexiscan.net.time_window import read_time_window

KEY_LINE = re.compile(r"""\s*(?:"([^"]+)"|'([^']+)'|([A-Za-z0-9_-]+))\s*[.=]""")
TABLE_LINE = re.compile(r"\s*\[{1,2}\s*([^\]]+?)\s*\]{1,2}")


def _address(text: str) -> str:
    return str(ipaddress.ip_address(text))


def _network(text: str) -> str:
    return str(ipaddress.ip_network(text))


def _host(text: str) -> str:
    try:
        return normalise_host(text)
    except FlexiScanError as error:
        raise ValueError(error.cause) from error


def _window(text: str) -> str:
    read_time_window(text)
    return text


def _moment(value: Any) -> dt.datetime:
    """A date is meant to its end, in the time zone of this machine, like `valid_until`."""
    if isinstance(value, dt.datetime):
        if value.tzinfo is None:
            raise ValueError("write the time zone too, for example 2026-01-31T18:00:00+01:00")
        return value
    if isinstance(value, dt.date):
        return dt.datetime.combine(value + dt.timedelta(days=1), dt.time()).astimezone()
    raise ValueError("a date or a date with time, without quotes")


def _without_repeats(values: list[Any]) -> list[Any]:
    if len(set(values)) != len(values):
        raise ValueError("something stands there twice")
    return values


Address = Annotated[str, AfterValidator(_address)]
Network = Annotated[str, AfterValidator(_network)]
Port = Annotated[int, Field(ge=1, le=65535)]
MediaPort = Annotated[int, Field(ge=1024, le=65535)]
MAX_CALL_PORTS = 16
"""A call of two parties has four; a conference some more."""


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)


class _Authorisation(_Part):
    authorised_by: Annotated[str, Field(min_length=1)]
    customer: str = ""
    contact: str = ""
    reference: str = ""
    valid_until: dt.date | None = None


class _TestCall(_Part):
    addresses: Annotated[list[Address], Field(min_length=1), AfterValidator(_without_repeats)]
    ports: Annotated[list[MediaPort], Field(min_length=1, max_length=MAX_CALL_PORTS), AfterValidator(_without_repeats)]
    agreed_by: Annotated[str, Field(min_length=1)]
    until: Annotated[dt.datetime, BeforeValidator(_moment)]


class _Target(_Part):
    host: Annotated[str, AfterValidator(_host)]
    addresses: list[Address] = []
    origins: list[Address] = []
    apps: list[App] | None = None
    ports: list[DeclaredPort] = []
    mitai_ports: list[Port] = []
    http_port: Port = 80
    https_port: Port = 443
    window: Annotated[str, AfterValidator(_window)] | None = None
    test_call: _TestCall | None = None

    @field_validator("test_call")
    @classmethod
    def _is_at_named_addresses(cls, call: _TestCall | None, info: ValidationInfo) -> _TestCall | None:
        """What may be disturbed is never a question of what DNS happens to say."""
        host = str(info.data.get("host", ""))
        named = {*info.data.get("addresses", ()), *info.data.get("origins", ()), *([host] if is_address(host) else [])}
        foreign = [address for address in (call.addresses if call else ()) if address not in named]
        if foreign:
            raise ValueError(f"{', '.join(foreign)} stands neither in addresses nor in origins of the target")
        return call


class _Exclude(_Part):
    networks: list[Network] = []
    ports: list[Port] = []


class _Attestation(_Part):
    by: Annotated[str, Field(min_length=1)]
    on: dt.date
    note: str = ""


class _ScopeFile(_Part):
    schema_: Annotated[Literal[1], Field(alias="schema")]
    authorisation: _Authorisation
    target: Annotated[list[_Target], Field(min_length=1)]
    exclude: _Exclude = _Exclude()
    rates: Rates = Rates()
    attest: dict[str, _Attestation] = {}


@dataclass(frozen=True, slots=True)
class ScopeFile:
    """A scope together with the digest of the file that it came from."""

    scope: Scope
    sha256: str


def read_scope_file(path: Path, *, today: dt.date, assume_public: tuple[str, ...] = ()) -> ScopeFile:
    """Read and check a scope file.

    Raises UsageError (file and line named) when it cannot be read or is not right, ScopeRefused when the
    authorisation has expired.
    """
    try:
        raw = path.read_bytes()
    except OSError as error:
        raise UsageError(
            f"cannot read the scope file {path}: {error.strerror}", "check the path after --scope"
        ) from error
    try:
        text = raw.decode()
        data = tomllib.loads(text)
        data["attest"] = _flat_attestations(data.get("attest", {}))
        file = _ScopeFile.model_validate(data)
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise UsageError(f"{path}: {error}", "the scope file is TOML") from error
    except ValidationError as error:
        raise UsageError("\n".join(_complaints(path, text, error)), "see: flexiscan scan --help") from error
    hosts = [target.host for target in file.target]
    for host in hosts:
        if hosts.count(host) > 1:
            raise UsageError(f"{path}: host {host!r} stands there twice", "merge the two [[target]] tables")
    for rule, attestation in file.attest.items():
        if attestation.on > today:
            raise UsageError(
                f"{path}: {rule} is attested on {attestation.on}, which is still to come", "write the day it was seen"
            )
    valid_until = file.authorisation.valid_until
    if valid_until is not None and valid_until < today:
        raise ScopeRefused(
            f"{path}: the authorisation ended on {valid_until}", "ask the customer for a new one; nothing was sent"
        )
    return ScopeFile(_scope(file, assume_public), hashlib.sha256(raw).hexdigest())


def _scope(file: _ScopeFile, assume_public: tuple[str, ...]) -> Scope:
    return Scope(
        authorisation=Authorisation(**file.authorisation.model_dump()),
        targets=tuple(_target(target) for target in file.target),
        exclude_networks=tuple(file.exclude.networks),
        exclude_ports=tuple(file.exclude.ports),
        rates=file.rates,
        attestations=tuple(
            Attestation(rule=rule, by=entry.by, on=entry.on, note=entry.note) for rule, entry in file.attest.items()
        ),
        assume_public=assume_public,
    )


def _target(part: _Target) -> Target:
    call = part.test_call
    agreed = None if call is None else AgreedCall(**call.model_dump())
    return Target(**part.model_dump(exclude={"test_call"}), test_call=agreed)


def _flat_attestations(table: Any) -> Any:
    """`[attest.host.backup]` and `[attest."host.backup"]` mean the same; so does `[attest.backup]`."""
    if not isinstance(table, dict):
        return table
    flat: dict[str, Any] = {}
    for key, value in table.items():
        if key == "host" and isinstance(value, dict) and "by" not in value:
            flat.update((f"host.{name}", entry) for name, entry in value.items())
        else:
            flat[key if key.startswith("host.") else f"host.{key}"] = value
    return flat


def _complaints(path: Path, text: str, error: ValidationError) -> list[str]:
    lines = []
    for problem in error.errors():
        location = problem["loc"]
        where = ".".join(str(part) for part in location)
        number = line_of(text, location)
        place = f"{path}, line {number}" if number else f"{path}"
        what = "unknown key" if problem["type"] == "extra_forbidden" else problem["msg"]
        lines.append(f"{place}: {where}: {what}")
    return lines


def line_of(text: str, location: tuple[int | str, ...]) -> int | None:
    """The line of a key in a TOML text, None when it is not written there (a missing key)."""
    wanted = _path(str(part) for part in location if part != "schema_")
    counts: dict[str, int] = {}
    table: list[str] = []
    best: int | None = None
    for number, line in enumerate(text.splitlines(), start=1):
        header = TABLE_LINE.match(line)
        if header:
            name = header.group(1).replace('"', "")
            if line.lstrip().startswith("[["):
                counts[name] = counts.get(name, -1) + 1
                table = [*_path([name]), str(counts[name])]
            else:
                first, *inner = _path([name])
                # [target.test_call] belongs to the [[target]] above it.
                table = [first, *([str(counts[first])] if first in counts else []), *inner]
            if wanted[: len(table)] == table or table[: len(wanted)] == wanted:
                best = number
            continue
        key = KEY_LINE.match(line)
        if key:
            full = _path([*table, next(group for group in key.groups() if group)])
            if wanted[: len(full)] == full:
                return number
    return best


def _path(names: Iterable[str]) -> list[str]:
    """Names as single keys; `attest.host.backup` is `attest.backup`, as in `_flat_attestations`."""
    keys = [key for name in names for key in name.split(".")]
    return [keys[0], *keys[2:]] if keys[:2] == ["attest", "host"] else keys
