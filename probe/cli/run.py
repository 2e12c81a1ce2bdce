"""`wallprobe run`: the daemon."""

import gc
import os
from pathlib import Path

import click
import msgspec

from probe.cli.logs import LogFormat, set_up_logs
from probe.cli.loop import run as run_loop
from probe.cli.service import Service
from probe.config.reader import load_config
from probe.config.shipped import shipped_source
from probe.model.settings import Settings

GC_THRESHOLDS = (50_000, 20, 20)
"""A check makes some hundreds of containers that nearly all go by reference count: looking through the young ones at
every 700th, which is what Python does unless told otherwise, was a seventh of the CPU of a check."""


@click.command(
    epilog="""\b
Examples:
  wallprobe run                                   neutral anchors only, on 127.0.0.1:9785
  wallprobe run --config.file /etc/wallprobe/wallprobe.yml
  wallprobe run --targets sites-foreign --accept-risk
"""
)
@click.option("--config.file", "config_file", metavar="FILE", default="", help="Configuration; defaults without it.")
@click.option("--targets", "lists", multiple=True, metavar="NAME", help="A shipped list besides; may be repeated.")
@click.option("--web.listen-address", "listen", multiple=True, metavar="HOST:PORT", help="Where to serve; repeatable.")
@click.option("--web.config.file", "web_config", metavar="FILE", default="", help="TLS for the server.")
@click.option("--web.allow-insecure", "allow_insecure", is_flag=True, help="Serve beyond loopback without TLS.")
@click.option("--store.path", "store_path", metavar="FILE", default="", help="The database.")
@click.option("--accept-risk", is_flag=True, help="Say that you know what probing listed sites may mean here.")
@click.option("--log.level", "level", type=click.Choice(["debug", "info", "warn", "error"]), default="info")
@click.option("--log.format", "log_format", type=click.Choice([f.value for f in LogFormat]), default="logfmt")
def run(
    config_file: str,
    lists: tuple[str, ...],
    listen: tuple[str, ...],
    web_config: str,
    allow_insecure: bool,
    store_path: str,
    accept_risk: bool,
    level: str,
    log_format: str,
) -> None:
    """Run the agent until it is told to stop: schedule, database, metrics, pages.

    SIGHUP or POST /-/reload reads the configuration again; SIGTERM stops within five seconds.
    """
    set_up_logs(level, LogFormat(log_format))

    def read_settings() -> Settings:
        settings = load_config(config_file)
        web = msgspec.structs.replace(
            settings.web,
            listen=listen or settings.web.listen,
            config_file=web_config or settings.web.config_file,
            allow_insecure=allow_insecure or settings.web.allow_insecure,
        )
        sources = (*settings.targets, *(shipped_source(name) for name in lists)) or (shipped_source("anchors"),)
        store = msgspec.structs.replace(settings.store, path=store_path or settings.store.path)
        return msgspec.structs.replace(
            settings,
            web=web,
            store=store,
            targets=sources,
            accept_risk=accept_risk or settings.accept_risk,
        )

    gc.set_threshold(*GC_THRESHOLDS)
    gc.freeze()  # modules and tables stay until the end: nobody need look through them
    run_loop(Service(read_settings, dict(os.environ), config_file=Path(config_file) if config_file else None).serve())
