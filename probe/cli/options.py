"""Options that several commands have, told in the same words by all of them, and the form of their examples."""

from collections.abc import Callable
from typing import Any, TypeVar

import click

from probe.cli.logs import LEVELS, LogFormat

_Command = TypeVar("_Command", bound=Callable[..., Any])

config_option = click.option(
    "--config.file",
    "config_file",
    metavar="FILE",
    default="",
    type=click.Path(),  # shells complete it; whoever reads it says what is wrong with it
    help="Configuration; built-in defaults without it.",
)
store_option = click.option(
    "--store.path",
    "store_path",
    metavar="FILE",
    default="",
    type=click.Path(),
    help="Database; else store.path of the configuration, $STATE_DIRECTORY, or your state folder.",
)
log_format_option = click.option(
    "--log.format",
    "log_format",
    type=click.Choice([f.value for f in LogFormat]),
    default="logfmt",
    show_default=True,
    help="How a line looks.",
)


def log_level_option(more: str = "") -> Callable[[_Command], _Command]:
    """Return the option `--log.level`; `more` is what a command's lines are about."""
    return click.option(
        "--log.level",
        "level",
        type=click.Choice(list(LEVELS)),
        default="info",
        show_default=True,
        help=f"From which level on a line is written{f'; {more}' if more else ''}.",
    )


def examples(*lines: str) -> str:
    """Return an epilog of examples, a line each, that click leaves as they are."""
    return "\n".join(("\b", "Examples:", *(f"  {line}" for line in lines)))
