"""Host names and address literals as they go on the wire: lower-case, IDNA-encoded, one way to write each.

Source: RFC 1035 section 2.3.4 (lengths), RFC 3986 section 3.2.2 (literals), RFC 5891 and UTS 46 without transitional
processing (as browsers do). Deviation: labels may hold `_` and begin or end with `-`, because names in use do.
"""

import ipaddress
import re

import idna

is_plain_name = re.compile(r"(?=.{1,253}\Z)(?:[a-z0-9_-]{1,63}\.)*(?!\d+\Z)(?!0x)[a-z0-9_-]{1,63}", re.ASCII).fullmatch
"""Match a canonical name; its last label is never a number (WHATWG URL, "ends in a number")."""


class HostError(ValueError):
    """It is no host: the message says why, in words for the person who wrote it."""


def parse_host(text: str) -> str:
    """Return the canonical form of a name, an IPv4 literal, or an IPv6 literal with or without brackets.

    Raises:
        HostError: it is none of these.
    """
    if text.startswith("["):
        if not text.endswith("]"):
            raise HostError("the bracket of the IPv6 address is not closed")
        return _parse_ipv6(text[1:-1])
    if ":" in text:
        return _parse_ipv6(text)
    name = text.lower()
    if not name.isascii():
        name = _to_ascii(name)
    name = name.removesuffix(".")
    if is_plain_name(name):
        return name
    if not name:
        raise HostError("the host is missing")
    last = name.rpartition(".")[2]
    if last.isdigit() or last.startswith("0x"):
        return _parse_ipv4(name)
    raise HostError(f"{text!r} is not a host name")


def _parse_ipv4(text: str) -> str:
    try:
        return str(ipaddress.IPv4Address(text))
    except ValueError:
        raise HostError(f"{text!r} is not an IPv4 address") from None


def _parse_ipv6(text: str) -> str:
    if "%" in text:
        raise HostError("an address with a zone means another host on every machine")
    try:
        return str(ipaddress.IPv6Address(text))
    except ValueError:
        raise HostError(f"{text!r} is not an IPv6 address") from None


def _to_ascii(name: str) -> str:
    try:
        mapped = idna.uts46_remap(name, std3_rules=False, transitional=False)
        labels = [label if label.isascii() else idna.alabel(label).decode("ascii") for label in mapped.split(".")]
    except (idna.IDNAError, UnicodeError, IndexError):
        raise HostError(f"{name!r} cannot be a host name; if it is one, write its xn-- form") from None
    return ".".join(labels)


def is_address(host: str) -> bool:
    """Tell whether a canonical host is an address literal: no name has a colon or ends in a number."""
    return ":" in host or host.rpartition(".")[2].isdigit()


def bracket(host: str) -> str:
    """Return the host as it stands in a URL."""
    return f"[{host}]" if ":" in host else host
