"""`wallprobe control`: the outside view, served from an uncensored host."""

import asyncio
import contextlib
import datetime
import logging
import os
import signal
import socket
import ssl
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import click
import msgspec

from probe.cli.logs import LogFormat, set_up_logs
from probe.cli.loop import run as run_loop
from probe.cli.options import config_option, examples, log_format_option, log_level_option
from probe.control.certificates import build_server_context, hash_certificate, keep_certificate
from probe.control.server import Front, build_view, start_control
from probe.control.settings import EchoSettings, ServeSettings, load_serve_settings
from probe.control.tokens import hash_token, make_token
from probe.knowledge.asn import AsnLookup
from probe.model.errors import UserError
from probe.model.settings import WebSettings
from probe.net.context import unknown_asn
from probe.net.stack import Stack
from probe.store.place import find_path
from probe.web.connections import Connections
from probe.web.doors import Doors
from probe.web.guards import refuse_strangers
from probe.web.limits import WebLimits
from probe.web.listen import is_loopback, open_listeners

log = logging.getLogger("wallprobe")
_CONNECTIONS = WebLimits(connections=2000, handshakes=512, backlog=1024, serve_s=90.0)


@click.group(
    epilog="""\b
Examples:
  wallprobe control token --name home                  a token for an agent, and its line for the server's file
  wallprobe control serve --config.file control.yml
"""
)
def control() -> None:
    """Serve the outside view (a *control*) to your own agents, from a host that nobody censors."""


@control.command(epilog=examples("wallprobe control token --name home"))
@click.option("--name", metavar="NAME", default="agent", show_default=True, help="Whose token it is.")
def token(name: str) -> None:
    """Make a token: the secret for the client, and the line with its hash for the server's file."""
    secret = make_token()
    click.echo(f"token, for the client's token_file (shown once): {secret}")
    click.echo("for the control's configuration:")
    click.echo(f"tokens:\n  - {{name: {name}, sha256: {hash_token(secret)}}}")


@control.command(
    epilog="""\b
Examples:
  wallprobe control serve                              on loopback, for a first look
  wallprobe control token --name home                  a token, and its line for the file
  wallprobe control serve --config.file control.yml    beyond loopback: tokens or a client CA are needed
"""
)
@config_option
@click.option("--listen", multiple=True, metavar="HOST:PORT", help="Where to serve; repeatable.")
@click.option("--plain", is_flag=True, help="No TLS; on loopback only, behind a proxy of your own.")
@click.option(
    "--echo/--no-echo", default=True, help="Serve the echo ports, where names are tried far from their sites."
)
@log_level_option()
@log_format_option
def serve(config_file: str, listen: tuple[str, ...], plain: bool, echo: bool, level: str, log_format: str) -> None:
    """Measure what agents ask, until told to stop; SIGTERM lets what is under way end."""
    set_up_logs(level, LogFormat(log_format))
    settings = load_serve_settings(config_file)
    settings = msgspec.structs.replace(
        settings,
        listen=listen or settings.listen,
        echo=settings.echo if echo else EchoSettings(low=0, high=0),
    )
    run_loop(_serve(settings, plain=plain))


async def _serve(settings: ServeSettings, *, plain: bool) -> None:
    loop = asyncio.get_running_loop()
    stop = asyncio.Event()
    for name in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(name, stop.set)
    async with contextlib.AsyncExitStack() as opened:
        listeners = _open_listeners(settings, plain=plain)
        for one in listeners:
            opened.callback(one.close)
        context = None if plain else _open_tls(settings)
        asn_of = unknown_asn
        if settings.asn_file:
            asn_of = opened.enter_context(AsnLookup.open(settings.asn_file)).asn_of
        stack = Stack.open(ca_file=settings.ca_file)
        opened.push_async_callback(stack.close)
        connections = Connections(loop, _CONNECTIONS)
        opened.callback(connections.close)
        front = Front(middlewares=(refuse_strangers(connections),), wrap=connections.guard, open=_open_doors)
        view = build_view(settings, stack, asn_of)
        server = await start_control(settings, view, stack, listeners, context, front=front)
        opened.push_async_callback(server.close)
        log.info("listening", extra={"address": ",".join(server.addresses), "echo_ports": server.echo.ports})
        await stop.wait()
        log.info("stopping")


async def _open_doors(
    sockets: Sequence[socket.socket], factory: Callable[[], asyncio.Protocol], context: ssl.SSLContext | None
) -> Doors:
    doors = Doors(list(sockets), factory, _CONNECTIONS)
    await doors.open(context)
    return doors


def _open_listeners(settings: ServeSettings, *, plain: bool) -> list[socket.socket]:
    """Bind; beyond loopback only with somebody to let in and TLS to keep tokens to ourselves.

    Raises:
        UserError: an address cannot be had, or would be open to everybody.
    """
    try:
        listeners = open_listeners(WebSettings(listen=settings.listen, allow_insecure=True), os.environ)
    except UserError as error:
        raise UserError(error.where.replace("web.listen", "control listen"), error.what, error.remedy) from error
    hosts = [str(one.getsockname()[0]) for one in listeners]
    public = [host for host in hosts if not is_loopback(host)]
    has_auth = bool(settings.tokens or settings.tls.client_ca_file)
    if public and (plain or not has_auth):
        for one in listeners:
            one.close()
        where = f"control listen {public[0]}"
        if plain:
            raise UserError(where, "tokens would travel in the clear", "leave out --plain, or listen on 127.0.0.1")
        remedy = "add tokens (wallprobe control token) or tls.client_ca_file, or listen on 127.0.0.1"
        raise UserError(where, "anybody could use this control", remedy)
    return listeners


def find_state(configured: str, environ: Mapping[str, str]) -> Path:
    """Return where the certificate lives: where the agent's database would.

    Raises:
        UserError: nothing says where, and this user has no home folder.
    """
    try:
        return Path(configured) if configured else find_path("", environ).parent
    except UserError as error:
        raise UserError("control state", error.what, "set state, or $STATE_DIRECTORY") from None


def _open_tls(settings: ServeSettings) -> ssl.SSLContext:
    """Return the context of the interface, and say the pin that clients need."""
    tls = settings.tls
    if tls.cert_file:
        certificate, key = Path(tls.cert_file), Path(tls.key_file)
    else:
        now = datetime.datetime.now(datetime.UTC)
        certificate, key = keep_certificate(find_state(settings.state, os.environ), settings.name, now)
    context = build_server_context(certificate, key, tls.client_ca_file, required=not settings.tokens)
    try:
        pin = hash_certificate(certificate.read_text("ascii"))
    except ValueError as error:
        raise UserError(str(certificate), "there is no certificate in it", "give a PEM file") from error
    log.info("certificate", extra={"file": str(certificate), "pin": pin})
    return context
