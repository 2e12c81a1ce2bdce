"""`wallprobe demo`: a censored Internet on this machine, and the agent telling what happens in it."""

import asyncio
import contextlib
import sys
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

import click
import msgspec

from probe.lab.demo import Demo, Scene, Sighting, open_listener
from probe.lab.demo_story import SHORTENED, SHORTEST_S, USUAL_S, Story, build_story
from probe.lab.run import Lab
from probe.model.verdict import Status

if TYPE_CHECKING:
    from rich.console import RenderableType

ABOUT = "A small Internet with a censor in it, all on this machine; no packet leaves it."
TWO_TIMES = "A first verdict takes one run; an episode two, 30 s apart or more, 60 s for good news."
_COLOURS = {Status.OK: "green", Status.DEGRADED: "yellow", Status.IMPAIRED: "yellow", Status.INSUFFICIENT: "dim"}


@click.command(
    epilog="""\b
Examples:
  wallprobe demo                     watch, open the page in a browser, end it with Ctrl-C
  wallprobe demo --duration 60       the same story in a minute; too short for confirmed episodes
  wallprobe demo --json              one JSON object per event
"""
)
@click.option("--duration", "duration_s", type=click.FloatRange(SHORTEST_S, 86400.0), metavar="SECONDS", default=None,
              help=f"End after so long; the story is told in it. Usual: {USUAL_S:.0f}.")  # fmt: skip
@click.option("--port", type=click.IntRange(0, 65535), default=None, help="Of the page; 9785, or any free one.")
@click.option("--seed", default=0, show_default=True, help="Draws names and addresses.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object per event.")
def demo(duration_s: float | None, port: int | None, seed: int, as_json: bool) -> None:
    """Show the main job on any machine: a censor changes over two minutes, and the agent notices.

    Nothing needs to be set up, and nothing stays behind. Needs Linux, and root or unprivileged user namespaces.
    """
    on_terminal = sys.stdout.isatty() and not as_json
    try:
        asyncio.run(_tell(duration_s, port, seed, as_json=as_json, on_terminal=on_terminal))
    except KeyboardInterrupt:
        if on_terminal:
            click.echo("Ended; nothing stays behind.")
        raise


async def _tell(duration_s: float | None, port: int | None, seed: int, *, as_json: bool, on_terminal: bool) -> None:
    with contextlib.closing(open_listener(port)) as listener:
        if on_terminal:
            click.echo("Setting up the lab and starting the agent in it …")
        async with Lab(seed) as lab:
            story = build_story(lab.world, duration_s or USUAL_S)
            demo = Demo(lab, story, listener)
            if on_terminal:
                with _live(story, demo.base_url) as show:
                    await demo.tell(show, stays=duration_s is None)
                click.echo("Ended; nothing stays behind.")
                return
            lines = Lines(as_json=as_json)
            lines.begin(story, demo.base_url)
            lines.end(await demo.tell(lines.show))


class Moment(msgspec.Struct, frozen=True, kw_only=True):
    """One thing that has happened."""

    kind: str
    """`change`, `noticed` or `confirmed`."""
    at_s: float
    after_s: float
    """Since the change."""
    sighting: Sighting


class Lines:
    """Tells the story line by line, for pipes and files."""

    def __init__(self, *, as_json: bool) -> None:
        self._as_json = as_json
        self._told: set[tuple[str, int]] = set()

    def begin(self, story: Story, base_url: str) -> None:
        """Say what is about to happen."""
        watched = [one.address for one in story.watched]
        if self._as_json:
            self._print({"kind": "start", "page": f"{base_url}/", "metrics": f"{base_url}/metrics", "targets": watched,
                         "shortened": SHORTENED, "duration_s": story.duration_s})  # fmt: skip
            return
        for line in (
            ABOUT,
            f"Page {base_url}/, metrics {base_url}/metrics",
            f"Shortened for the demo: {SHORTENED}.",
            TWO_TIMES,
        ):
            click.echo(line)

    def show(self, scene: Scene) -> None:
        """Print what is new, in the order of time."""
        for moment in sorted(find_moments(scene), key=lambda moment: moment.at_s):
            number = scene.sightings.index(moment.sighting)
            if (moment.kind, number) not in self._told:
                self._told.add((moment.kind, number))
                self._tell(moment)

    def end(self, scene: Scene) -> None:
        """Sum up."""
        every = len(scene.sightings)
        noticed = sum(sighting.noticed_after_s is not None for sighting in scene.sightings)
        confirmed = sum(sighting.confirmed_after_s is not None for sighting in scene.sightings)
        if self._as_json:
            at_s = round(scene.at_s, 1)
            self._print({"kind": "end", "at_s": at_s, "changes": every, "noticed": noticed, "confirmed": confirmed})
        else:
            click.echo(f"{noticed} of {every} changes noticed, {confirmed} confirmed; nothing stays behind.")

    def _tell(self, moment: Moment) -> None:
        sighting = moment.sighting
        if self._as_json:
            fields: dict[str, object] = {
                "kind": moment.kind,
                "at_s": round(moment.at_s, 2),
                "after_s": round(moment.after_s, 2),
                "target": sighting.change.address,
                "censor": sighting.change.words,
                "lifted": sighting.change.lifted,
            }
            if moment.kind != "change":
                fields |= {"status": sighting.status, "patterns": sighting.patterns}
            self._print(fields)
            return
        words = {
            "change": f"censor     {sighting.change.words}",
            "noticed": f"noticed    {sighting.change.address} {render_status(sighting)}, after {moment.after_s:.1f} s",
            "confirmed": f"confirmed  {sighting.change.address}, after {moment.after_s:.0f} s",
        }
        click.echo(f"{moment.at_s:6.1f} s  {words[moment.kind]}")

    @staticmethod
    def _print(event: dict[str, object]) -> None:
        # Whoever reads a pipe wants each line when it happens.
        sys.stdout.write(msgspec.json.encode(event).decode() + "\n")
        sys.stdout.flush()


def find_moments(scene: Scene) -> Iterator[Moment]:
    """Return everything that has happened by now."""
    for sighting in scene.sightings:
        times = {"noticed": sighting.noticed_after_s, "confirmed": sighting.confirmed_after_s}
        for kind, after_s in {"change": 0.0 if sighting.begun else None, **times}.items():
            if after_s is not None:
                yield Moment(kind=kind, at_s=sighting.change.at_s + after_s, after_s=after_s, sighting=sighting)


def render_status(sighting: Sighting) -> str:
    """Return the verdict that noticed a change, in words."""
    if sighting.status is None:
        return ""
    words = sighting.status.value.replace("_", " ").upper()
    return f"{words} {sighting.patterns[0]}" if sighting.patterns else words


@contextlib.contextmanager
def _live(story: Story, base_url: str) -> Iterator[Callable[[Scene], None]]:
    """Show scenes in place, on a terminal."""
    from rich.live import Live

    with Live(refresh_per_second=4) as live:
        yield lambda scene: live.update(render_scene(story, base_url, scene))


def render_scene(story: Story, base_url: str, scene: Scene) -> "RenderableType":
    """Return what a terminal shows at one moment."""
    from rich.console import Group
    from rich.table import Table
    from rich.text import Text

    now = Table(box=None, padding=(0, 1, 0, 0), header_style="bold underline")
    for heading in ("watched", "says", "how"):
        now.add_column(heading, no_wrap=True)
    for watched, row in zip(story.watched, scene.rows, strict=True):
        said = Text(row.status.value.replace("_", " ").upper(), style=_COLOURS.get(row.status, "bold red"))
        now.add_row(watched.address, said, row.patterns[0] if row.patterns else watched.title)
    changes = Table(box=None, padding=(0, 1, 0, 0), header_style="bold underline")
    for heading, width in {"at": 8, "censor": 28, "first verdict": 28, "after": 6, "episode": 7}.items():
        changes.add_column(heading, no_wrap=True, max_width=width, min_width=min(width, 8))
    for sighting in scene.sightings:
        waiting = "…" if sighting.begun else ""
        changes.add_row(
            f"{sighting.change.at_s:.0f} s" if sighting.begun else f"in {sighting.change.at_s - scene.at_s:.0f} s",
            sighting.change.words,
            render_status(sighting) or waiting,
            waiting if sighting.noticed_after_s is None else f"{sighting.noticed_after_s:.1f} s",
            waiting if sighting.confirmed_after_s is None else f"{sighting.confirmed_after_s:.0f} s",
            style="" if sighting.begun else "dim",
        )
    head = Text.assemble(
        f"{ABOUT}\n", "Page ", (f"{base_url}/", "bold cyan"), "   metrics ", (f"{base_url}/metrics", "bold cyan"),
        f"   {scene.at_s:.0f} s\n", (f"Shortened for the demo: {SHORTENED}.\n{TWO_TIMES}", "dim"),
    )  # fmt: skip
    over = scene.is_settled or scene.at_s >= story.duration_s
    foot = "The story is over; the page stays until Ctrl-C." if over else "Ctrl-C ends it and leaves nothing behind."
    return Group(head, Text(), now, Text(), changes, Text(foot, style="dim"))
