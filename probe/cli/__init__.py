"""The command line: one file per command, each imported only when it is asked for."""

import difflib
import importlib
import importlib.util

import click
from click.shell_completion import CompletionItem

from probe import __version__

COMMANDS = {
    "check": ("probe.cli.check:check", "Check targets now: verdict first, then the evidence."),
    "run": ("probe.cli.run:run", "Run the agent: schedule, database, metrics."),
    "demo": ("probe.cli.demo:demo", "Watch the agent at work against a censor on this machine."),
    "control": ("probe.cli.control:control", "Serve the outside view from an uncensored host."),
    "targets": ("probe.cli.targets:targets", "Look at target lists: lint, list, import."),
    "config": ("probe.cli.config:config", "Check the configuration and its lists."),
    "history": ("probe.cli.history:history", "Show what was found on a target over time."),
    "explain": ("probe.cli.explain:explain", "Show how a measurement came to its verdict."),
    "reclassify": ("probe.cli.reclassify:reclassify", "Judge stored measurements again by the rules of today."),
    "classify": ("probe.cli.classify:classify", "Judge measurements that OONI made, offline."),
    "export": ("probe.cli.export:export", "Write stored measurements in OONI's format, or as OpenMetrics."),
    "db": ("probe.cli.db:db", "Look after the database: check, backup, restore, vacuum, export."),
    "init": ("probe.cli.init:init", "Write a commented configuration."),
    "doctor": ("probe.cli.doctor:doctor", "Look whether this host is fit to measure."),
    "report": ("probe.cli.report:report", "Tell what became of the targets, as one file that can be mailed."),
    "top": ("probe.cli.top:top", "Watch a running agent, or what it stored, on the terminal."),
    "patterns": ("probe.cli.patterns:patterns", "Show the taxonomy: how things are blocked, and what shows it."),
    "lab": ("probe.cli.lab:lab", "A censored Internet on this machine, to try things in."),
    "version": ("probe.cli.version:version", "Show the versions of Wallprobe and what it stands on."),
}
"""Name of a command, where it lives, and its line in the help: listing them imports none."""


class LazyCommands(click.Group):
    """A group that imports a command when it is called: start-up time is a feature."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the commands that are installed, in the order of the table."""
        return [name for name, (place, _) in COMMANDS.items() if _is_installed(place)]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import one command; `None` = there is no such command."""
        if cmd_name not in COMMANDS or not _is_installed(COMMANDS[cmd_name][0]):
            return None
        module, _, attribute = COMMANDS[cmd_name][0].partition(":")
        command = getattr(importlib.import_module(module), attribute)
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
        rows = [(name, COMMANDS[name][1]) for name in self.list_commands(ctx)]
        with formatter.section("Commands"):
            formatter.write_dl(rows)

    def shell_complete(self, ctx: click.Context, incomplete: str) -> list[CompletionItem]:
        """Return the commands that begin so, from the table, and the options."""
        named = [name for name in self.list_commands(ctx) if name.startswith(incomplete)]
        options = click.Command.shell_complete(self, ctx, incomplete)
        return [*(CompletionItem(name, help=COMMANDS[name][1]) for name in named), *options]


def _is_installed(place: str) -> bool:
    return importlib.util.find_spec(place.partition(":")[0]) is not None


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
