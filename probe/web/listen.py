"""Where to listen: `host:port`, `:port`, `[::1]:port`, or sockets that systemd opened for us.

Source: sd_listen_fds(3) for the protocol of `LISTEN_PID` and `LISTEN_FDS`.
"""

import contextlib
import errno
import ipaddress
import os
import socket
import sys
from collections.abc import Mapping, Sequence

import msgspec

from probe.model.endpoint import is_literal
from probe.model.errors import UserError
from probe.model.settings import WebSettings

_FIRST_PASSED_FD = 3
_BACKLOG = 128
_MISSING_FAMILY = (errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT)
_EVERYWHERE = ("::", "0.0.0.0")


class ListenAddress(msgspec.Struct, frozen=True, kw_only=True):
    """A place as the user wrote it."""

    host: str
    """Empty = all addresses of this machine."""
    port: int
    """0 = any free one."""


def parse_listen(text: str) -> ListenAddress:
    """Read `host:port`, `:port` or `[v6]:port`.

    Raises:
        UserError: it is none of these.
    """
    host, colon, port = text.rpartition(":")
    bracketed = host.startswith("[") and host.endswith("]")
    if not colon or not (port.isascii() and port.isdecimal()) or int(port) > 65535 or (":" in host and not bracketed):
        raise UserError(
            f"web.listen {text!r}",
            "not an address to listen on",
            "write host:port, :port or [::1]:port, such as 127.0.0.1:9785",
        )
    return ListenAddress(host=host[1:-1] if bracketed else host, port=int(port))


def is_loopback(address: str) -> bool:
    """Tell whether an address literal stays on this machine."""
    try:
        literal = ipaddress.ip_address(address.split("%", 1)[0])
    except ValueError:
        return False
    mapped = literal.ipv4_mapped if isinstance(literal, ipaddress.IPv6Address) else None
    return (mapped or literal).is_loopback


def open_listeners(
    settings: WebSettings, environ: Mapping[str, str], *, protected: bool | None = None
) -> list[socket.socket]:
    """Return bound sockets: systemd's if it passed any, else one for each address of `web.listen`.

    `protected` tells whether `web.config_file` keeps anybody out; not given, that there is one is taken for it.

    Raises:
        UserError: an address cannot be had, or goes beyond loopback without protection.
    """
    protected = bool(settings.config_file) if protected is None else protected
    sockets = _take_passed(environ)
    try:
        if settings.systemd_socket and not sockets:
            raise UserError("web.systemd_socket", "systemd passed no socket", "start it by its .socket unit")
        if not sockets:
            for text in settings.listen:
                sockets += _bind(text, parse_listen(text))
        if not (protected or settings.allow_insecure):
            for one in sockets:
                _refuse_beyond_loopback(one)
    except BaseException:
        for one in sockets:
            one.close()
        raise
    return sockets


def _refuse_beyond_loopback(bound: socket.socket) -> None:
    if bound.family not in (socket.AF_INET, socket.AF_INET6):
        return
    if not is_loopback(bound.getsockname()[0]):
        raise _open_to_all(format_address(bound))


def _open_to_all(place: str) -> UserError:
    return UserError(
        f"web.listen {place}",
        "reachable from other machines without protection",
        "listen on 127.0.0.1, or give web.config_file with TLS or users, or pass --web.allow-insecure",
    )


def find_mistakes(settings: WebSettings, *, protected: bool) -> list[UserError]:
    """Return what `open_listeners` would refuse of what is written, without opening anything; names are left to it."""
    mistakes: list[UserError] = []
    for text in settings.listen if not settings.systemd_socket else ():
        try:
            host = parse_listen(text).host
        except UserError as error:
            mistakes.append(error)
        else:
            beyond = not host or (is_literal(host) and not is_loopback(host))
            if beyond and not (protected or settings.allow_insecure):
                mistakes.append(_open_to_all(text))
    return mistakes


def format_address(bound: socket.socket) -> str:
    """Return `host:port`, or the path of a Unix socket."""
    name = bound.getsockname()
    if bound.family == socket.AF_INET6:
        return f"[{name[0]}]:{name[1]}"
    return f"{name[0]}:{name[1]}" if bound.family == socket.AF_INET else str(name)


def _bind(text: str, wanted: ListenAddress) -> list[socket.socket]:
    """Bind every address that the host stands for; a family that this machine lacks is left out if another is there."""
    places = _resolve(text, wanted)
    sockets: list[socket.socket] = []
    missing: OSError | None = None
    for family, host in places:
        try:
            sockets.append(_bind_one(family, host, wanted.port))
        except OSError as error:
            if error.errno in _MISSING_FAMILY and len(places) > 1:
                missing = error
                continue
            for one in sockets:
                one.close()
            raise _explain(text, error) from error
    if not sockets and missing is not None:
        raise _explain(text, missing) from missing
    return sockets


def _resolve(text: str, wanted: ListenAddress) -> Sequence[tuple[int, str]]:
    if not wanted.host:
        return [(socket.AF_INET6 if ":" in host else socket.AF_INET, host) for host in _EVERYWHERE]
    try:
        found = socket.getaddrinfo(wanted.host, wanted.port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    except (OSError, UnicodeError) as error:
        raise UserError(
            f"web.listen {text!r}", "the host has no address here", "write an address of this machine"
        ) from error
    return list(dict.fromkeys((int(family), str(place[0])) for family, _, _, _, place in found))


def _bind_one(family: int, host: str, port: int) -> socket.socket:
    bound = socket.socket(family, socket.SOCK_STREAM)
    try:
        if sys.platform != "win32":  # there it lets two programs share a port
            bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6:
            bound.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        bound.bind((host, port))
        bound.listen(_BACKLOG)
        bound.setblocking(False)
    except BaseException:
        bound.close()
        raise
    return bound


def _explain(text: str, error: OSError) -> UserError:
    where = f"web.listen {text!r}"
    match error.errno:
        case errno.EADDRINUSE:
            return UserError(where, "the port is in use", "stop the other program or choose another port")
        case errno.EACCES | errno.EPERM:
            return UserError(
                where, "no permission", "choose a port above 1023, or give the service CAP_NET_BIND_SERVICE"
            )
        case errno.EADDRNOTAVAIL:
            return UserError(where, "not an address of this machine", "choose one of its own, such as 127.0.0.1")
        case _:
            return UserError(where, error.strerror or str(error), "choose another address")


def _take_passed(environ: Mapping[str, str]) -> list[socket.socket]:
    """Return the sockets that systemd passed to this very process."""
    if environ.get("LISTEN_PID") != str(os.getpid()):
        return []
    count = 0
    with contextlib.suppress(ValueError):
        count = int(environ.get("LISTEN_FDS", "0"))
    sockets = []
    for number in range(_FIRST_PASSED_FD, _FIRST_PASSED_FD + count):
        os.set_inheritable(number, False)
        passed = socket.socket(fileno=number)
        passed.setblocking(False)
        sockets.append(passed)
    return sockets
