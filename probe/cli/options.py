"""Options that several commands have, told in the same words by all of them, and the form of their examples."""

import click

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


def examples(*lines: str) -> str:
    """Return an epilog of examples, a line each, that click leaves as they are."""
    return "\n".join(("\b", "Examples:", *(f"  {line}" for line in lines)))
