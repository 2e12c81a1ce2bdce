"""`wallprobe run`: the daemon."""

import gc
import os
import signal
from pathlib import Path
from typing import Any

import click
import msgspec

from probe import __version__
from probe.cli.commands.config import report_settings
from probe.cli.logs import LEVELS, LogFormat, set_up_logs
from probe.cli.loop import run as run_loop
from probe.cli.options import config_option, log_format_option, log_level_option, store_option
from probe.cli.service import Service
from probe.config.reader import load_config
from probe.config.shipped import shipped_source
from probe.config.web import check_places
from probe.model.errors import UserError
from probe.model.settings import Settings, TunnelNames, WebSettings
from probe.model.units import parse_duration

GC_THRESHOLDS = (50_000, 20, 20)
"""A check makes some hundreds of containers that nearly all go by reference count: looking through the young ones at
every 700th, which is what Python does unless told otherwise, was a seventh of the CPU of a check."""


@click.command(
    epilog="""\b
Examples:
  wallprobe run                                   neutral anchors only, on 127.0.0.1:9785
  wallprobe run --config.file /etc/wallprobe/wallprobe.yml
  wallprobe run --config.file wallprobe.yml --config.check
  wallprobe run --targets sites-foreign --accept-risk
"""
)
@config_option
@click.option("--config.check", "check_only", is_flag=True, help="Check the configuration and its lists, then exit.")
@click.option(
    "--config.enable-auto-reload/--no-config.enable-auto-reload",
    "auto_reload",
    default=False,
    help="Reload when the configuration, or a file that it names, changes.",
)
@click.option(
    "--config.auto-reload-interval",
    "auto_reload_every",
    metavar="TIME",
    default="30s",
    show_default=True,
    help="How often to look.",
)
@click.option(
    "--targets",
    "lists",
    multiple=True,
    metavar="NAME",
    help="A shipped list besides: sites-foreign, vpn-sites or resolvers; repeatable.",
)
@click.option("--web.listen-address", "listen", multiple=True, metavar="HOST:PORT", help="Where to serve; repeatable.")
@click.option(
    "--web.systemd-socket/--no-web.systemd-socket",
    "systemd_socket",
    default=None,
    help="Serve on the sockets that systemd passes, and nowhere else.",
)
@click.option(
    "--web.config.file",
    "web_config",
    metavar="FILE",
    default="",
    help="TLS, users and limits of the server, in exporter-toolkit's format.",
)
@click.option(
    "--web.open-health/--no-web.open-health",
    "open_health",
    default=None,
    help="Answer /-/healthy and /-/ready without a password.",
)
@click.option("--web.telemetry-path", "telemetry_path", metavar="PATH", default="", help="Where metrics are: /metrics.")
@click.option(
    "--web.external-url",
    "external_url",
    metavar="URL",
    default="",
    help="The address under which others reach it, behind a proxy.",
)
@click.option(
    "--web.route-prefix",
    "route_prefix",
    metavar="PATH",
    default="",
    help="What stands before every path; else the path of that URL.",
)
@click.option("--web.allow-insecure", "allow_insecure", is_flag=True, help="Serve beyond loopback without protection.")
@store_option
@click.option("--accept-risk", is_flag=True, help="Say that you know what probing listed sites may mean here.")
@click.option("--alias", is_flag=True, help="Show and store addresses and names of tunnels as aliases alone.")
@log_level_option("one line for each change of a target's state")
@log_format_option
@click.option(
    "--log.prober",
    "prober",
    type=click.Choice(list(LEVELS)),
    default="warn",
    show_default=True,
    help="Measurements, a line each: debug = all, info = those that found a target not usable.",
)
@click.version_option(__version__, "--version", message="wallprobe, version %(version)s")
def run(  # noqa: PLR0913, PLR0917  # one for each flag
    config_file: str,
    check_only: bool,
    auto_reload: bool,
    auto_reload_every: str,
    lists: tuple[str, ...],
    store_path: str,
    accept_risk: bool,
    alias: bool,
    level: str,
    log_format: str,
    prober: str,
    **web: Any,
) -> int:
    """Run the agent until it is told to stop: schedule, database, metrics, pages.

    SIGHUP or POST /-/reload reads the configuration again; SIGTERM stops within five seconds.
    """
    if hasattr(signal, "SIGHUP"):
        signal.signal(signal.SIGHUP, signal.SIG_IGN)  # who asks for a reload while it is being read gets no end
    watch_every_s = _read_interval(auto_reload_every)

    def read_settings() -> Settings:
        settings = load_config(config_file)
        sources = (*settings.targets, *(shipped_source(name) for name in lists)) or (shipped_source("anchors"),)
        store = msgspec.structs.replace(settings.store, path=store_path or settings.store.path)
        return msgspec.structs.replace(
            settings,
            web=_merge_web(settings.web, web),
            store=store,
            targets=sources,
            accept_risk=accept_risk or settings.accept_risk,
            privacy=msgspec.structs.replace(settings.privacy, tunnels=TunnelNames.ALIAS) if alias else settings.privacy,
        )

    if check_only:
        return report_settings(read_settings(), config_file or "built-in defaults")
    services: list[Service] = []
    limit = set_up_logs(
        level, LogFormat(log_format), prober, lambda line: services[0].hide(line) if services else line
    )  # fmt: skip
    gc.set_threshold(*GC_THRESHOLDS)
    gc.freeze()  # modules and tables stay until the end: nobody need look through them
    service = Service(
        read_settings,
        dict(os.environ),
        config_file=Path(config_file) if config_file else None,
        watch_every_s=watch_every_s if auto_reload else None,
        log_stats=limit.stats,
    )
    services.append(service)
    run_loop(service.serve())
    return 0


def _merge_web(written: WebSettings, flags: dict[str, Any]) -> WebSettings:
    """Return the file's settings with those of the command line before them; a flag that is not given says nothing."""
    given = {name: value for name, value in flags.items() if value not in ("", (), None)}
    given["allow_insecure"] = flags["allow_insecure"] or written.allow_insecure
    given["config_file"] = given.pop("web_config", written.config_file)
    return check_places(msgspec.structs.replace(written, **given), "command line")


def _read_interval(text: str) -> float:
    try:
        seconds = parse_duration(text)
    except ValueError:
        seconds = 0.0
    if seconds < 1.0:
        raise UserError(f"--config.auto-reload-interval {text[:20]!r}", "not a second or more", "write 30s or 5m")
    return seconds
