"""`wallprobe patterns`: the taxonomy with what each pattern needs."""

import click
import msgspec

from probe.classify.taxonomy import TAXONOMY
from probe.model.errors import UserError


@click.command(
    epilog="""\b
Examples:
  wallprobe patterns                       all of them, with what each needs
  wallprobe patterns tls.reset             those that begin so
"""
)
@click.argument("prefix", default="")
@click.option("--json", "as_json", is_flag=True, help="One JSON object per pattern.")
def patterns(prefix: str, as_json: bool) -> None:
    """Show how things are blocked, and what must be seen before Wallprobe says so."""
    chosen = {pattern: entry for pattern, entry in TAXONOMY.items() if pattern.value.startswith(prefix)}
    if not chosen:
        raise UserError("patterns", f"none starts with {prefix!r}", "`wallprobe patterns` lists them all")
    for pattern, entry in chosen.items():
        if as_json:
            row = {"pattern": pattern.value, "meaning": entry.meaning, "needs": entry.needs}
            click.echo(msgspec.json.encode(row))
        else:
            indent = "  " * pattern.value.count(".")
            click.echo(f"{indent + pattern.value:32} {entry.meaning}; needs: {entry.needs}")
