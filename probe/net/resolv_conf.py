"""The nameservers of resolv.conf, as a stub resolver reads them.

Source: resolv.conf(5), glibc's res_init. Deviation: `search` is ignored, because targets are full names; of more
than three nameservers the first three count, as in glibc.
"""

import ipaddress
import os
from pathlib import Path

import msgspec

from probe.model.endpoint import Endpoint
from probe.model.observation import Resolver, Transport

_MOST_NAMESERVERS = 3
_MOST_BYTES = 65536
_LOCAL = Endpoint(address="127.0.0.1", port=53)
"""What a resolv.conf without nameservers means."""
_DEFAULT_TIMEOUT_S = 5
_MOST_TIMEOUT_S = 30


class ResolvConf(msgspec.Struct, frozen=True, kw_only=True):
    """What the file says."""

    resolvers: tuple[Resolver, ...]
    timeout_s: int = _DEFAULT_TIMEOUT_S
    """How long a nameserver has for its answer."""


def parse_resolv_conf(text: str, *, port: int = 53) -> ResolvConf:
    """Read the file; a line that makes no sense is skipped, as every stub resolver does."""
    endpoints: list[Endpoint] = []
    timeout_s = _DEFAULT_TIMEOUT_S
    for line in text.splitlines():
        if line.lstrip().startswith((";", "#")):
            continue
        keyword, *words = line.split() or [""]
        if keyword == "nameserver" and words:
            endpoint = _parse_nameserver(words[0], port)
            if endpoint is not None and len(endpoints) < _MOST_NAMESERVERS:
                endpoints.append(endpoint)
        elif keyword == "options":
            for word in words:
                name, colon, number = word.partition(":")
                if name == "timeout" and colon and number.isascii() and number.isdigit():
                    timeout_s = int(number[:4])
    return ResolvConf(
        resolvers=tuple(
            Resolver(transport=Transport.UDP, endpoint=endpoint, system=True)
            for endpoint in endpoints or [msgspec.structs.replace(_LOCAL, port=port)]
        ),
        timeout_s=min(max(1, timeout_s), _MOST_TIMEOUT_S),
    )


def _parse_nameserver(text: str, port: int) -> Endpoint | None:
    """Return the address, with its zone where a link-local one needs it; 0.0.0.0 means this host."""
    address, percent, zone = text.partition("%")
    try:
        parsed = ipaddress.ip_address(address)
    except ValueError:
        return None
    if parsed.is_unspecified:
        return Endpoint(address="127.0.0.1" if parsed.version == 4 else "::1", port=port)
    if parsed.version == 4:
        return None if percent else Endpoint(address=str(parsed), port=port)
    return Endpoint(address=f"{parsed}{percent}{zone}" if zone else str(parsed), port=port)


class ResolvConfFile:
    """The file on disk, read again when it has changed."""

    def __init__(self, path: str, *, port: int = 53) -> None:
        self._path = Path(path)
        self._port = port
        self._stamp: tuple[int, int, int] | None = None
        self._read: ResolvConf | None = None

    def current(self) -> ResolvConf:
        """Return what the file says now; a missing or unreadable file says nothing."""
        try:
            status = os.stat(self._path)
            stamp = (status.st_mtime_ns, status.st_ino, status.st_size)
            if self._read is None or stamp != self._stamp:
                with self._path.open("rb") as file:
                    text = file.read(_MOST_BYTES).decode("utf-8", "replace")
                self._read, self._stamp = parse_resolv_conf(text, port=self._port), stamp
        except OSError:
            self._read, self._stamp = parse_resolv_conf("", port=self._port), None
        return self._read
