"""`flexiscan witness`: runs on the server itself. All of it is in one file, which is called here unchanged."""

from __future__ import annotations

import click


@click.command(
    add_help_option=False,
    context_settings={"ignore_unknown_options": True},
    short_help="On the server: write down what reaches it from outside.",
)
@click.argument("arguments", nargs=-1, type=click.UNPROCESSED)
def witness(arguments: tuple[str, ...]) -> int:
    """On the server: write down what reaches it from outside. See: flexiscan witness --help"""
    from flexiscan.witness import main

    try:
        return main(list(arguments))
    except SystemExit as end:  # argparse has said why
        return end.code if isinstance(end.code, int) else 2
