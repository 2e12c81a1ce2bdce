"""Report lines on a terminal in colour, in a pipe as plain text."""

import sys

import click

from probe.export.text.report import Line, Tone

_COLOURS = {Tone.GOOD: "green", Tone.BAD: "red", Tone.CARE: "yellow"}


def paint(lines: tuple[Line, ...]) -> None:
    """Print the lines; colour only where somebody looks."""
    colourful = sys.stdout.isatty()
    for line in lines:
        # A page's title is somebody else's text: control characters must not reach the terminal.
        text = "".join(c if c.isprintable() else "�" for c in line.text)
        if not colourful or line.tone is Tone.PLAIN:
            click.echo(text)
        elif line.tone is Tone.FAINT:
            click.secho(text, dim=True)
        else:
            click.secho(text, fg=_COLOURS[line.tone])
