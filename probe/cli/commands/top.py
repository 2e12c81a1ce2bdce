"""`wallprobe top`: a running agent, or what it stored, live on the terminal."""

import asyncio
import sys
from typing import TYPE_CHECKING

import click
import msgspec

from probe.cli.contact import Visitor, reach, reach_own
from probe.cli.glances import FileSource, HttpSource, Source
from probe.cli.options import config_option
from probe.cli.stored import load_settings
from probe.export.glance import (
    Glance,
    Row,
    draw_bars,
    printable,
    write_counts,
    write_plain,
    write_since,
    write_status,
)
from probe.export.text.words import describe_event, render_span, render_time, shorten
from probe.model.errors import UserError
from probe.model.settings import Settings
from probe.model.verdict import Status

if TYPE_CHECKING:
    from rich.console import RenderableType
    from rich.text import Text

_STYLES = {
    Status.OK: "green",
    Status.DEGRADED: "yellow",
    Status.IMPAIRED: "magenta",
    Status.SERVER_SIDE: "blue",
    Status.DOWN: "white",
    Status.INSUFFICIENT: "dim",
}
_PLAIN_ROWS = 1000
_OTHER_LINES = 14
"""Of the screen: all that is not a row of a target."""


@click.command(
    epilog="""\b
Examples:
  wallprobe top                                         the agent on this machine, else its database
  wallprobe top --config.file /etc/wallprobe/wallprobe.yml    the same, known by its own certificate
  wallprobe top --url https://vantage.example:9785 --ca-file ca.pem --user ops --password-file secret
  wallprobe top --url https://vantage.example:9785 --ca-file ca.pem --cert-file ops.pem --key-file ops.key
  wallprobe top --store.path /var/lib/wallprobe/wallprobe.db
  wallprobe top | head                                  once, as plain lines
Without --password-file the password of --user is taken from $WALLPROBE_PASSWORD.
"""
)
@click.option("--url", metavar="URL", default="", help="Where the agent serves; else the first web.listen address.")
@click.option("--user", metavar="NAME", default="", envvar="WALLPROBE_USER", show_envvar=True, help="Log in as.")
@click.option("--password-file", metavar="FILE", default="", help="Its first line is the password; or credential:NAME.")
@click.option("--ca-file", metavar="FILE", default="", help="Trust these roots for an https URL.")
@click.option("--cert-file", metavar="FILE", default="", help="Show this certificate to an agent that asks for one.")
@click.option("--key-file", metavar="FILE", default="", help="Its key.")
@click.option("--server-name", metavar="NAME", default="", help="What the agent's certificate is made out for.")
@click.option("--web.config.file", "web_config", metavar="FILE", default="",
              help="The agent's own file, if it is here: its certificate is known by that.")  # fmt: skip
@click.option("--every", "every_s", type=click.FloatRange(0.5, 3600.0), default=2.0, show_default=True,
              metavar="SECONDS", help="How often to look.")  # fmt: skip
@click.option("--once", is_flag=True, help="Look once and end.")
@config_option
@click.option("--store.path", "store_path", metavar="FILE", default="", help="Read this database, and ask no agent.")
def top(
    url: str, web_config: str, every_s: float, once: bool, config_file: str, store_path: str, **visitor: str
) -> None:
    """Show the worst targets, their last 24 hours and what changed; until Ctrl-C. Plain lines, once, in a pipe."""
    settings = load_settings(config_file, store_path)
    if web_config:
        settings = msgspec.structs.replace(settings, web=msgspec.structs.replace(settings.web, config_file=web_config))
    source = _choose(settings, url, Visitor(**visitor), stored=bool(store_path))
    if not sys.stdout.isatty():
        for line in write_plain(asyncio.run(_look(source, _PLAIN_ROWS))):
            click.echo(line)
        return
    asyncio.run(_show(source, every_s, once=once))


def _choose(settings: Settings, url: str, visitor: Visitor, *, stored: bool) -> Source:
    if stored and not url:
        return FileSource(settings)
    if url:
        return HttpSource(reach(url, visitor, settings.web.config_file))
    return Either(HttpSource(reach_own(settings, visitor)), FileSource(settings))


class Either:
    """An agent, or where none answers the database that it leaves."""

    def __init__(self, agent: Source, file: Source) -> None:
        self._agent = agent
        self._file = file

    async def look(self, rows: int) -> Glance:
        """Return what is known now."""
        try:
            return await self._agent.look(rows)
        except UserError as error:
            try:
                found = await self._file.look(rows)
            except UserError:
                raise error from None
            return msgspec.structs.replace(found, note=f"Stored, not asked for: {error.where} {error.what}.")


async def _look(source: Source, rows: int) -> Glance:
    return await source.look(rows)


async def _show(source: Source, every_s: float, *, once: bool) -> None:
    from rich.console import Console
    from rich.live import Live

    console = Console()
    glance = await source.look(max(3, console.height - _OTHER_LINES))
    if once:
        console.print(render(glance, console.width))
        return
    with Live(render(glance, console.width), console=console, screen=True, auto_refresh=False) as live:
        while True:
            await asyncio.sleep(every_s)
            try:
                glance = await source.look(max(3, console.height - _OTHER_LINES))
            except UserError as error:
                glance = msgspec.structs.replace(glance, note=f"No contact: {error}")
            live.update(render(glance, console.width), refresh=True)


def render(glance: Glance, width: int) -> "RenderableType":
    """Return what a terminal shows at one moment."""
    from rich.console import Group
    from rich.table import Table
    from rich.text import Text

    head = Text.assemble((f"Wallprobe  {glance.place}", "bold"), f"   {render_time(glance.now)}   ",
                         (printable(glance.source), "dim"))  # fmt: skip
    parts: list[RenderableType] = [head, Text(write_counts(glance))]
    if glance.note:
        parts.append(Text(printable(glance.note), style="bold yellow"))
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="bold underline", expand=True)
    table.add_column("target", no_wrap=True, ratio=3, overflow="ellipsis")
    for name in ("says", "since"):
        table.add_column(name, no_wrap=True)
    table.add_column("how", no_wrap=True, ratio=2, overflow="ellipsis")
    bars = 12 if width < 100 else 24 if width < 150 else 48
    table.add_column("24 hours", no_wrap=True, width=bars)
    for row in glance.rows:
        table.add_row(*_cells_of(row, glance.now, bars))
    left = glance.total - len(glance.rows)
    parts += [Text(), table, Text(f"… and {left:,} more" if left > 0 else "", style="dim")]
    for event in glance.events[:6]:
        what = f"{render_span(glance.now - event.at)} ago  {event.target or 'vantage'}  {describe_event(event)}"
        parts.append(Text(printable(what), style="dim", no_wrap=True, overflow="ellipsis"))
    return Group(*parts)


def _cells_of(row: Row, now: float, bars: int) -> tuple["Text", ...]:
    from rich.text import Text

    style = _STYLES.get(row.status, "bold red")
    return (
        Text(printable(shorten(row.address))),
        Text(write_status(row), style=style),
        Text(write_since(row, now)),
        Text(row.pattern, style="dim"),
        Text(draw_bars(row.cells, bars), style=style),
    )
