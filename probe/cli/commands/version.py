"""`wallprobe version`: what is installed, for a report that others can follow."""

import importlib.metadata
import json
import platform
import ssl

import click

from probe import __version__

LIBRARIES = ("aiohttp", "certifi", "cryptography", "dnspython", "httptools", "msgspec", "rtls", "uvloop")


def collect_versions() -> dict[str, str]:
    """Return the versions of everything that can change a measurement."""
    versions = {
        "wallprobe": __version__,
        "python": platform.python_version(),
        "openssl": ssl.OPENSSL_VERSION.removeprefix("OpenSSL "),
        "system": f"{platform.system()} {platform.release()}",
    }
    for library in LIBRARIES:
        try:
            versions[library] = importlib.metadata.version(library)
        except importlib.metadata.PackageNotFoundError:
            versions[library] = "not installed"
    return versions


@click.command(epilog="\b\nExample:\n  wallprobe version --json    for a report of a fault")
@click.option("--json", "as_json", is_flag=True, help="One JSON object.")
def version(as_json: bool) -> None:
    """Show the versions of Wallprobe and what it stands on."""
    versions = collect_versions()
    if as_json:
        click.echo(json.dumps(versions))
        return
    for name, text in versions.items():
        click.echo(f"{name} {text}")
