"""`flexiscan scan`."""

from __future__ import annotations

import datetime as dt
import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from flexiscan.cli.options import (
    comma_list,
    output_options,
    parse_formats,
    parse_network,
    parse_resolver,
    state_folder,
)
from flexiscan.cli.proofs import proof_option, read_proofs
from flexiscan.cli.witness_code import read_witness_code, witness_code_option
from flexiscan.errors import ScopeRefused, UsageError

if TYPE_CHECKING:
    from flexiscan.api import ScanRequest
    from flexiscan.cli.output import Output
    from flexiscan.model.target import Rates, Scope
    from flexiscan.scope_file import ScopeFile

INTERRUPTED = 130

EPILOG = """\b
Examples:
  flexiscan scan flexi.example.se --authorised-by "A. Svensson, CIO"
  flexiscan scan --scope customer.toml --format html=report.html --format json=result.json
  flexiscan scan flexi.example.se --scope customer.toml --only 'web.*' -v
  flexiscan scan flexi.example.se --scope customer.toml --dry-run
  echo flexi.example.se | flexiscan scan - --scope customer.toml -q --format json=-
"""


@click.command(epilog=EPILOG)
@click.argument("hosts", nargs=-1, metavar="HOST...")
@click.option("--authorised-by", metavar="TEXT", help="Who allowed this scan. This or --scope is needed.")
@click.option("--scope", "scope_path", type=click.Path(path_type=Path), metavar="FILE", help="The scope file (TOML).")
@click.option("-4", "only_ipv4", is_flag=True, help="IPv4 only.")
@click.option("-6", "only_ipv6", is_flag=True, help="IPv6 only.")
@click.option("--depth", type=click.Choice(("quick", "standard", "full")), default="standard", show_default=True)
@click.option("--only", multiple=True, metavar="GLOB", help="Judge only these rules; repeat or separate by commas.")
@click.option("--skip", multiple=True, metavar="GLOB", help="Leave these rules out.")
@click.option("--resolver", "resolvers", multiple=True, metavar="ADDR[#PORT]", help="Ask this name server.")
@click.option(
    "--root-hints", type=click.Path(path_type=Path), metavar="FILE", help="Root servers of a private DNS tree."
)
@click.option("--trust-anchor", type=click.Path(path_type=Path), metavar="FILE", help="DNSSEC anchors of such a tree.")
@click.option("--ca-bundle", type=click.Path(path_type=Path), metavar="FILE", help="Trust these certificates (PEM).")
@click.option("--assume-public", multiple=True, metavar="CIDR", help="Treat this network as public.")
@click.option("--dry-run", is_flag=True, help="Show every endpoint, packets and duration; send nothing.")
@click.option("--record", type=click.Path(path_type=Path), metavar="DIR", help="Folder for the run record.")
@click.option("--udp-pps", type=click.IntRange(1, 2000), help="Datagrams a second to one address (default 200).")
@click.option("--http-rps", type=click.IntRange(1, 100), help="HTTP requests a second to one name (default 20).")
@click.option("--tls-concurrency", type=click.IntRange(1, 16), help="TLS handshakes at once (default 4).")
@click.option(
    "--tls-second-opinion",
    type=click.Choice(("none", "standard", "full")),
    default="standard",
    show_default=True,
    help="How much the second TLS engine is asked.",
)
@witness_code_option("Ask the witness that runs on the server now under this one-time code.")
@click.option("--witness-control-port", type=click.IntRange(1, 65535), help="Let through for the test (default 51515).")
@proof_option
@click.option("--vantage", type=click.Path(path_type=Path), metavar="FILE", help="What flexiscan doctor --json found.")
@click.option("--raw", is_flag=True, help="More evidence by raw sockets: headers of answers, a capture (CAP_NET_RAW).")
@click.option(
    "--intrusive",
    multiple=True,
    metavar="NAME",
    type=click.Choice(("rtp-bleed",)),
    help="Also make this test, which may disturb: rtp-bleed (needs test_call in the scope file).",
)
@click.option("--source-prefix", metavar="PREFIX", help="IPv6 prefix of this machine to send the media sweep from.")
@click.option("--seed", type=click.IntRange(0, 2**32 - 1), help="Seed of random order (default: a fresh one).")
@output_options
def scan(hosts: tuple[str, ...], **options: Any) -> int:
    """Scan hosts from outside and judge them against the guide.

    HOST is a public name or address; - reads names from stdin. With --scope and no HOST, all targets of the file
    are scanned. Addresses that are not loopback need --authorised-by or --scope: without, nothing is sent.
    """
    from flexiscan.engine.registry import format_names

    formats = parse_formats(options["formats"], format_names())
    request = _request(hosts, options)
    if options["dry_run"]:
        return _dry_run(request)
    from flexiscan.cli.output import Output

    output = Output(formats, options["lang"], options["color"], options["plain"], options["verbose"], options["quiet"])
    return _run(request, output)


def _request(hosts: tuple[str, ...], options: dict[str, Any]) -> ScanRequest:
    from flexiscan.api import ScanRequest
    from flexiscan.model.witness_message import CONTROL_PORT
    from flexiscan.net.resolv_conf import system_resolvers

    if options["root_hints"] or options["trust_anchor"]:
        raise UsageError(
            "this version asks resolvers and does not yet iterate from the root itself",
            "leave out --root-hints and --trust-anchor; use --resolver for a private DNS tree",
        )
    families = _families(options)
    scope, sha256 = _scope(_read_hosts(hosts), options)
    resolvers = tuple(parse_resolver(text) for text in options["resolvers"]) or system_resolvers()
    ca_pem, ca_name = _ca_bundle(options["ca_bundle"])
    return ScanRequest(
        scope=scope,
        scope_sha256=sha256,
        record_folder=options["record"] or _default_record_folder(scope),
        resolvers=resolvers,
        depth=options["depth"],
        families=families,
        only=comma_list(options["only"]),
        skip=comma_list(options["skip"]),
        ca_bundle_pem=ca_pem,
        ca_bundle_name=ca_name,
        second_opinion=options["tls_second_opinion"],
        fail_on=options["fail_on"],
        strict=options["strict"],
        seed=options["seed"],
        intrusive=tuple(dict.fromkeys(options["intrusive"])),
        witness_code=_witness_code(hosts, options),
        witness_control_port=options["witness_control_port"] or CONTROL_PORT,
        raw=options["raw"],
        source_prefix=options["source_prefix"],
        vantage=_vantage(options["vantage"]),
        proofs=read_proofs(options["proofs"], {target.host for target in scope.targets}, dt.datetime.now(dt.UTC)),
    )


def _witness_code(hosts: tuple[str, ...], options: dict[str, Any]) -> str | None:
    from flexiscan.api.witness import keys_of_code

    if options["code"] == "-" and "-" in hosts:
        raise UsageError("names and the code cannot both come over standard input", "write --witness @FILE")
    if code := read_witness_code(options["code"]):
        keys_of_code(code)
    return code


def _families(options: dict[str, Any]) -> tuple[Any, ...]:
    if options["only_ipv4"] and options["only_ipv6"]:
        raise UsageError("-4 and -6 together leave nothing", "leave both out to look at both families")
    if options["only_ipv4"] or options["only_ipv6"]:
        return ("ipv4",) if options["only_ipv4"] else ("ipv6",)
    return ("ipv4", "ipv6")


def _read_hosts(hosts: tuple[str, ...]) -> tuple[str, ...]:
    from flexiscan.host_name import normalise_host

    texts: list[str] = []
    for host in hosts:
        if host == "-":
            lines = (line.split("#", 1)[0].strip() for line in sys.stdin)
            texts.extend(line for line in lines if line)
        else:
            texts.append(host)
    if hosts and not texts:
        raise UsageError("no host was named on standard input", "leave out - to scan all targets of a scope file")
    return tuple(dict.fromkeys(normalise_host(text) for text in texts))


def _scope(hosts: tuple[str, ...], options: dict[str, Any]) -> tuple[Scope, str | None]:
    """What may be scanned. Raises UsageError or ScopeRefused; nothing has been sent, DNS included."""
    from flexiscan.host_name import is_loopback
    from flexiscan.model.target import Authorisation, Rates, Scope, Target

    assume_public = tuple(parse_network(text) for text in options["assume_public"])
    if options["scope_path"] and options["authorised_by"]:
        raise UsageError("--scope and --authorised-by exclude each other", "the scope file says who allowed it")
    if options["scope_path"]:
        from flexiscan.scope_file import read_scope_file

        today = dt.datetime.now().astimezone().date()
        file = read_scope_file(options["scope_path"], today=today, assume_public=assume_public)
        return _narrowed(file, hosts, options), file.sha256
    if not hosts:
        raise UsageError("no host was named", "for example: flexiscan scan flexi.example.se --authorised-by WHO")
    by = (options["authorised_by"] or "").strip()
    if not by:
        outside = [host for host in hosts if not is_loopback(host)]
        if outside:
            raise ScopeRefused(
                f"nobody has allowed a scan of {', '.join(outside)}; nothing was sent",
                "say who did: --authorised-by TEXT, or --scope FILE",
            )
        by = "not needed: loopback"
    targets = tuple(Target(host=host) for host in hosts)
    rates = _rates(Rates(), options)
    return Scope(
        authorisation=Authorisation(authorised_by=by), targets=targets, rates=rates, assume_public=assume_public
    ), None


def _narrowed(file: ScopeFile, hosts: tuple[str, ...], options: dict[str, Any]) -> Scope:
    """The scope of a file, for the hosts named alone."""
    scope = file.scope
    targets = {target.host: target for target in scope.targets}
    foreign = [host for host in hosts if host not in targets]
    if foreign:
        raise ScopeRefused(
            f"{', '.join(foreign)} does not stand in the scope file; nothing was sent",
            f"it allows: {', '.join(targets)}",
        )
    chosen = tuple(targets[host] for host in hosts) or scope.targets
    return scope.model_copy(update={"targets": chosen, "rates": _rates(scope.rates, options)})


def _rates(rates: Rates, options: dict[str, Any]) -> Rates:
    given = {name: options[name] for name in ("udp_pps", "http_rps", "tls_concurrency") if options[name]}
    return rates.model_copy(update=given)


def _ca_bundle(path: Path | None) -> tuple[str | None, str]:
    if path is None:
        return None, ""
    try:
        text = path.read_text(encoding="ascii", errors="replace")
    except OSError as error:
        raise UsageError(f"cannot read {path}: {error.strerror}", "check the path after --ca-bundle") from error
    if "-----BEGIN CERTIFICATE-----" not in text:
        raise UsageError(f"{path} holds no PEM certificate", "--ca-bundle takes a PEM file")
    return text, path.name


def _vantage(path: Path | None) -> dict[str, Any] | None:
    import json

    from flexiscan.policy.vantage import read_vantage

    if path is None:
        return None
    try:
        return read_vantage(json.loads(path.read_text(encoding="utf-8")))
    except OSError as error:
        raise UsageError(f"cannot read {path}: {error.strerror}", "check the path after --vantage") from error
    except (ValueError, AttributeError, TypeError) as error:
        raise UsageError(f"{path}: {error}", "make it with: flexiscan doctor --json > FILE") from error


def _default_record_folder(scope: Scope) -> Path:
    host = re.sub(r"[^a-z0-9.-]", "_", scope.targets[0].host)[:80]
    stamp = dt.datetime.now(dt.UTC).strftime("%Y%m%dT%H%M%S.%fZ")
    return state_folder() / "runs" / f"{stamp}-{host}"


def _dry_run(request: ScanRequest) -> int:
    from flexiscan.api import estimate
    from flexiscan.cli.dry_run import describe

    click.echo(describe(estimate(request), request))
    return 0


def _run(request: ScanRequest, output: Output) -> int:
    import asyncio

    from flexiscan.api import judge, scan
    from flexiscan.cli.interruption import taking_interrupts
    from flexiscan.cli.progress import watching
    from flexiscan.net.event_loop import run as run_loop

    with taking_interrupts() as interruption:
        interrupted = False
        with watching(request, quiet=output.quiet, verbose=output.verbose) as watch:
            try:
                document = run_loop(interruption.guard(scan(request, watch)))
            except (KeyboardInterrupt, asyncio.CancelledError):
                interrupted = True
        if interrupted:
            click.echo("interrupted: what was seen is kept", err=True)
            document = judge(request.record_folder, fail_on=request.fail_on, strict=request.strict)
        try:
            output.write(document)
        finally:
            if not output.quiet:
                click.echo(f"record: {request.record_folder}", err=True)
    return INTERRUPTED if interrupted else document.exit_code
