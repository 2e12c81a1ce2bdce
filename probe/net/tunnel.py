"""A way out that is not this host's own: somebody's proxy, or one network device such as a VPN's.

A stack with a `Tunnel` sends every connection of its steps through it. Source: RFC 1928, RFC 9110 section 9.3.6,
socket(7) `SO_BINDTODEVICE` (since Linux 5.7 without privilege).

A proxy carries connections only, so names are asked over TCP; and its word that a connection stands is no proof that it
does: some (ssh -D) say so before they try.
"""

import errno
import os
import socket
import sys
from enum import StrEnum
from urllib.parse import urlsplit

import msgspec

from probe.model.endpoint import Endpoint
from probe.model.errors import ProtocolError
from probe.net.proxies import ProxyRefusal, pass_http, pass_socks5
from probe.net.stream import ByteStream

PROXY_SCHEMES = ("socks5", "socks5h", "http")
DEVICE_SCHEME = "device"
_LONGEST_DEVICE = 15
"""IFNAMSIZ less its zero byte."""
_REASONS = {
    3: errno.ENETUNREACH,
    4: errno.EHOSTUNREACH,
    5: errno.ECONNREFUSED,
    6: errno.ETIMEDOUT,
}
"""RFC 1928 section 6; all others say that the proxy would not, which is nothing about the place."""


class TunnelKind(StrEnum):
    """What carries the connections."""

    SOCKS5 = "socks5"
    HTTP = "http"
    DEVICE = "device"


class Tunnel(msgspec.Struct, frozen=True, kw_only=True):
    """One way out."""

    kind: TunnelKind
    proxy: Endpoint | None = None
    """Where the proxy is; `None` for a device."""
    device: str = ""
    """Name of the network device; empty for a proxy."""


def parse_way(text: str) -> tuple[TunnelKind, str, int]:
    """Read `socks5://host:port`, `http://host:port` or `device://wg0`; return kind, host or device, and port.

    Raises:
        ValueError: it is none of them, or holds a password.
    """
    url = urlsplit(text)
    if url.scheme not in (*PROXY_SCHEMES, DEVICE_SCHEME) or not url.hostname or url.username is not None:
        raise ValueError("not a way out")
    if url.path.strip("/") or url.query or url.fragment:
        raise ValueError("not a way out")
    if url.scheme == DEVICE_SCHEME:
        name = url.netloc  # as written: device names know upper and lower case
        if len(name) > _LONGEST_DEVICE or any(c in "/: " for c in name):
            raise ValueError("not a network device")
        return TunnelKind.DEVICE, name, 0
    if not url.port:
        raise ValueError("no port")
    return (TunnelKind.HTTP if url.scheme == "http" else TunnelKind.SOCKS5), url.hostname, url.port


def bind_to_device(sock: socket.socket, tunnel: Tunnel | None) -> None:
    """Let a socket's packets leave by the tunnel's device, if it is one.

    Raises:
        OSError: there is no such device, or this system cannot.
    """
    if tunnel is None or not tunnel.device:
        return
    if sys.platform != "linux":
        raise OSError(errno.ENOPROTOOPT, os.strerror(errno.ENOPROTOOPT))
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, tunnel.device.encode() + b"\0")


def refuse_datagrams(tunnel: Tunnel | None) -> None:
    """See that packets other than TCP's may go: past a proxy they would leave by this host's own network.

    Raises:
        OSError: the tunnel is a proxy.
    """
    if tunnel is not None and tunnel.proxy is not None:
        raise OSError(errno.EACCES, "a proxy carries no datagrams")


async def pass_proxy(channel: ByteStream, tunnel: Tunnel, endpoint: Endpoint, deadline_s: float) -> None:
    """Have the proxy at the other end of a fresh connection connect us to a place.

    Raises:
        OSError: it could not: with the reason it gave, or EACCES where that tells nothing of the place.
    """
    step = pass_http if tunnel.kind is TunnelKind.HTTP else pass_socks5
    try:
        await step(channel, endpoint.address, endpoint.port, deadline_s)
    except ProxyRefusal as error:
        raise OSError(_REASONS.get(error.code, errno.EACCES), str(error)) from error
    except ProtocolError as error:
        raise OSError(errno.EACCES, str(error)) from error
    except TimeoutError as error:
        raise OSError(errno.EACCES, "the proxy said nothing in time") from error
    except OSError as error:
        raise OSError(errno.EACCES, f"the proxy: {error.strerror or 'broke'}") from error
