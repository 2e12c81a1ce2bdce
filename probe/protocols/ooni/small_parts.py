"""Small parts of OONI records: endpoints, URLs, AS numbers, times of day."""

import datetime
import functools
import ipaddress

from probe.model.endpoint import Endpoint
from probe.protocols.http.redirect import WebAddress

UNKNOWN_ADDRESS = "0.0.0.0"
"""Stands where OONI does not say which address a page came from."""
_NO_TIME = 0.0


@functools.lru_cache(maxsize=4096)
def read_endpoint(text: str | None) -> Endpoint | None:
    """Return the endpoint of `1.2.3.4:443` or `[::1]:443`; `None` = it is none."""
    address, colon, port = (text or "").rpartition(":")
    if not colon or not (port.isascii() and port.isdigit()) or len(port) > 5:
        return None
    return build_endpoint(address.removeprefix("[").removesuffix("]"), int(port))


def build_endpoint(address: str, port: int) -> Endpoint | None:
    """Return the endpoint; `None` = the address is no literal, or the port no port."""
    if not 0 < port <= 65535:
        return None
    literal = read_address(address)
    return None if literal is None else Endpoint(address=literal, port=port)


@functools.lru_cache(maxsize=4096)
def read_address(text: str) -> str | None:
    """Return an address literal in its usual spelling; `None` = it is none."""
    try:
        return str(ipaddress.ip_address(text))
    except ValueError:
        return None


def write_url(site: WebAddress) -> str:
    """Return the URL of an address, without the port that its scheme has anyway."""
    host = f"[{site.host}]" if ":" in site.host else site.host
    place = host if site.port == (443 if site.secure else 80) else f"{host}:{site.port}"
    return f"{'https' if site.secure else 'http'}://{place}{site.path}"


def read_asn(text: str | None) -> int:
    """Return the number of `AS123`; 0 = not known."""
    digits = (text or "").removeprefix("AS")
    return int(digits) if digits.isascii() and digits.isdigit() and len(digits) <= 10 else 0


def read_country(text: str | None) -> str:
    """Return two letters; `ZZ` = not known."""
    return text if text and len(text) == 2 and text.isascii() and text.isalpha() and text.isupper() else "ZZ"


def read_time(text: str | None) -> float:
    """Return the wall time of `2024-02-14 09:06:17` (UTC); 0 = not known."""
    try:
        moment = datetime.datetime.fromisoformat(text or "")
    except ValueError:
        return _NO_TIME
    moment = moment if moment.tzinfo else moment.replace(tzinfo=datetime.UTC)
    return moment.timestamp() if 1971 <= moment.year <= 9000 else _NO_TIME


def write_time(at: float) -> str:
    """Return a wall time as OONI writes it."""
    return datetime.datetime.fromtimestamp(at, datetime.UTC).strftime("%Y-%m-%d %H:%M:%S")
