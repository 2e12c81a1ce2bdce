"""The command line: one file per command, each imported only when it is asked for."""

import difflib
import importlib
import importlib.util

import click
from click.shell_completion import CompletionItem

from probe import __version__

COMMANDS = {
    "check": "Check targets now: verdict first, then the evidence.",
    "run": "Run the agent: schedule, database, metrics.",
    "demo": "Watch the agent at work against a censor on this machine.",
    "control": "Serve the outside view from an uncensored host.",
    "targets": "Look at target lists: lint, list, import.",
    "config": "Check the configuration and its lists.",
    "history": "Show what was found on a target over time.",
    "explain": "Show how a measurement came to its verdict.",
    "reclassify": "Judge stored measurements again by the rules of today.",
    "classify": "Judge measurements that OONI made, offline.",
    "export": "Write stored measurements in OONI's format, or as OpenMetrics.",
    "db": "Look after the database: check, backup, restore, vacuum, export.",
    "init": "Write a commented configuration.",
    "doctor": "Look whether this host is fit to measure.",
    "report": "Tell what became of the targets, as one file that can be mailed.",
    "top": "Watch a running agent, or what it stored, on the terminal.",
    "patterns": "Show the taxonomy: how things are blocked, and what shows it.",
    "lab": "A censored Internet on this machine, to try things in.",
    "version": "Show the versions of Wallprobe and what it stands on.",
}
"""Name of a command and its line in the help, so that listing them imports none.

A command is the function of its name in the module of its name, in `commands/`.
"""


class LazyCommands(click.Group):
    """A group that imports a command when it is called: start-up time is a feature."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the commands that are installed, in the order of the table."""
        return [name for name in COMMANDS if _is_installed(name)]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import one command; `None` = there is no such command."""
        if cmd_name not in COMMANDS or not _is_installed(cmd_name):
            return None
        command = getattr(importlib.import_module(_module_of(cmd_name)), cmd_name)
        assert isinstance(command, click.Command)
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Return the command that is asked for, or say which was meant."""
        near = difflib.get_close_matches(args[0], self.list_commands(ctx), n=1)
        if self.get_command(ctx, args[0]) is None and near:
            ctx.fail(f"No such command {args[0]!r}. Did you mean {near[0]!r}?")
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the help lines from the table."""
        rows = [(name, COMMANDS[name]) for name in self.list_commands(ctx)]
        with formatter.section("Commands"):
            formatter.write_dl(rows)

    def shell_complete(self, ctx: click.Context, incomplete: str) -> list[CompletionItem]:
        """Return the commands that begin so, from the table, and the options."""
        named = [name for name in self.list_commands(ctx) if name.startswith(incomplete)]
        options = click.Command.shell_complete(self, ctx, incomplete)
        return [*(CompletionItem(name, help=COMMANDS[name]) for name in named), *options]


def _module_of(name: str) -> str:
    return f"probe.cli.commands.{name}"


def _is_installed(name: str) -> bool:
    return importlib.util.find_spec(_module_of(name)) is not None


@click.group(
    cls=LazyCommands,
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog="""\b
Examples:
  wallprobe check https://www.example.org      one question, answered now
  wallprobe check                              describe this network
  wallprobe init && wallprobe doctor           a configuration, and whether this host is fit
  wallprobe run --config.file wallprobe.yml    the agent
  eval "$(_WALLPROBE_COMPLETE=bash_source wallprobe)"    completion; zsh_source, fish_source
""",
)
@click.version_option(__version__, "--version", message="wallprobe, version %(version)s")
def main() -> None:
    """Tell which sites and VPN endpoints a network blocks, how, and since when."""
