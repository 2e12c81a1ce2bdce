"""`wallprobe init`: a configuration with every part that people change, and what each means."""

import os
import re
import sys
from pathlib import Path

import click

from probe.config.reader import parse_config
from probe.model.errors import UserError

TEMPLATE = """\
# Wallprobe. Everything has a default; `wallprobe config check {file}` says what is wrong and what load this means.

vantage:
  id: {vantage}                 # what alerts and pages call this place
  country: {country}                  # two letters; block pages and domestic anchors go by it. ZZ = not said
  # asn: 64500                  # when you know it; nobody is asked for it

# What to watch. A list may be plain text (one address a line), our YAML, Citizen Lab CSV or Prometheus file_sd JSON.
targets:
  - uri: https://www.example.org
  # - file: sites.txt           # relative to this file; a last part with * takes all that match
  # - http_sd: https://ops.example/targets.json
  #   refresh: 5m
  # - uri: office.ovpn          # the file of a VPN: each of its servers is a target
  #   group: vpn
  #   exposure: shared          # public, shared or private: how often it may be knocked at

defaults:
  interval: 5m
  timeout: 10s

limits:
  profile: line                 # line: a home or office line, 30 connections/s; server: 1000
  bytes_per_day: 2GB

# Somebody who measures the same from an uncensored place. Without one, `blocked` needs a comparison from here.
# control:
#   - url: https://control.example:8443
#     token_file: /etc/wallprobe/control-token

# resolvers: [system, udp://9.9.9.9, dot://9.9.9.9#dns.quad9.net]
# nowhere: [ADDRESS]            # of a host of yours outside with nothing on UDP port 53: shows who answers on the way

store:
  {path}
  keep: 90d
  max_size: 2GB

web:
  listen: 127.0.0.1:9785        # beyond loopback only with config_file (TLS, users)
  # config_file: web.yml        # exporter-toolkit's format; certificates rotate without a reload
  # open_health: yes            # /-/healthy and /-/ready without a password

# privacy:
#   tunnels: alias              # addresses and names of tunnels only as aliases: metrics, logs, pages, database

# metrics:
#   per_target: status          # full (45 series a target), status (17) or none; full up to 5,000 targets
"""
_PATH_OF_HOST = "path: /var/lib/wallprobe/wallprobe.db    # said here, so that commands of root find it, too"
_PATH_OF_USER = "# path: /var/lib/wallprobe/wallprobe.db   # else $STATE_DIRECTORY (systemd), else your state folder"
_VANTAGE = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}", re.ASCII).fullmatch
_COUNTRY = re.compile(r"[A-Za-z]{2}", re.ASCII).fullmatch


@click.command(
    epilog="""\b
Examples:
  wallprobe init
  wallprobe init /etc/wallprobe/wallprobe.yml --vantage sh-telecom-1 --country CN
  wallprobe init -                         print it
"""
)
@click.argument("file", default="wallprobe.yml")
@click.option("--vantage", metavar="ID", default="", help="What this place is called.")
@click.option("--country", metavar="CC", default="", help="Where it is, in two letters.")
@click.option("--force", is_flag=True, help="Write over a file that is there.")
def init(file: str, vantage: str, country: str, force: bool) -> None:
    """Write a commented configuration to FILE (wallprobe.yml). Only at a terminal it asks what is not given.

    Then: `wallprobe doctor`, and `wallprobe run --config.file FILE`.
    """
    if file != "-" and not force and Path(file).exists():
        raise UserError(file, "is there already", "give another name, or --force")
    asks = sys.stdin.isatty() and sys.stderr.isatty()
    if asks and not vantage:
        vantage = click.prompt("What is this place called", default="local", err=True)
    if asks and not country:
        country = click.prompt("Which country is it in (two letters, ZZ = not said)", default="ZZ", err=True)
    text = render_config(file, vantage or "local", country or "ZZ")
    if file == "-":
        click.echo(text, nl=False)
        return
    _write(file, text, force=force)
    click.echo(f"{file} written; next: wallprobe doctor --config.file {file}", err=True)


def render_config(file: str, vantage: str, country: str) -> str:
    """Return the text, which the reader of configurations takes as it is.

    Raises:
        UserError: the vantage or the country is none.
    """
    if _VANTAGE(vantage) is None:
        raise UserError("--vantage", f"{vantage[:40]!r} is no good", "use letters, digits, dots and dashes")
    if _COUNTRY(country) is None:
        raise UserError("--country", f"{country[:40]!r} is no country", "give two letters, such as DE")
    named = "FILE" if file == "-" else Path(file).name
    path = _PATH_OF_HOST if Path(file).parts[:2] == ("/", "etc") else _PATH_OF_USER
    text = TEMPLATE.format(file=named, vantage=vantage, country=country.upper(), path=path)
    parse_config(text, file, {})
    return text


def _write(file: str, text: str, *, force: bool) -> None:
    flags = os.O_WRONLY | os.O_CREAT | (os.O_TRUNC if force else os.O_EXCL)
    try:
        with os.fdopen(os.open(file, flags, 0o644), "w") as out:
            out.write(text)
    except OSError as error:
        raise UserError(file, f"cannot be written: {error.strerror}", "give a path that this user may write") from None
