"""Takes addresses, names and ports out of values of any shape, and puts aliases in their place."""

import re
from typing import Any

_NAME = re.compile(r"(?=.{1,253}\Z)[a-z0-9_-]{1,63}(\.[a-z0-9_-]{1,63})+\.?", re.IGNORECASE)
_EVERYBODYS_PORTS = frozenset({0, 22, 53, 80, 123, 443, 500, 853, 4500, 8080, 8443})
"""A number that says nothing by itself: it is hidden beside an address only."""
_TELLING_REPLIES = frozenset(
    {
        "answer", "kind", "method", "version", "versions", "cipher", "tls_version", "data_cipher", "wrapping",
        "software", "server", "asks_for", "login", "status", "group", "result", "proved", "child", "carried_bytes",
        "notification", "retry",
    }
)  # fmt: skip
"""Fields of a peer's reply that say what answered; the others may say who."""
_OF_PLACES = {"chain": [], "body_sha256": "", "headers": [], "title": ""}
"""Fields of observations by which anybody finds out where a certificate or page is from."""
_FEWEST_LABELS = 2


class Words:
    """What is hidden, and what is put there."""

    def __init__(self) -> None:
        self._addresses: dict[str, str] = {}
        self._names: dict[str, str] = {}
        self._ports: set[int] = set()
        self._short: dict[str, str] = {}
        """Names without a dot: hidden only where they are all that stands there."""
        self._address_pattern: re.Pattern[str] | None = None
        self._name_pattern: re.Pattern[str] | None = None
        self._port_pattern: re.Pattern[str] | None = None
        self._ready = True

    def hide_address(self, address: str, literal: str) -> None:
        """Hide an address literal."""
        self._addresses[address.lower()] = literal
        self._ready = False

    def hide_name(self, name: str, alias: str) -> None:
        """Hide a host name, all names below it, and its domain."""
        if _NAME.fullmatch(name) is None:
            self._short[name.lower()] = alias
            return
        labels = name.rstrip(".").lower().split(".")
        for start in range(len(labels) - _FEWEST_LABELS + 1):
            self._names.setdefault(".".join(labels[start:]), alias)
        self._ready = False

    def hide_text(self, text: str, instead: str) -> None:
        """Hide a text as it stands, such as the path of a file."""
        if text:
            self._names.setdefault(text.lower(), instead)
            self._ready = False

    def hide_port(self, port: int) -> None:
        """Hide a port, beside an address that is hidden; one that is not everybody's, wherever it stands."""
        self._ports.add(port)
        self._ready = False

    def add(self, other: "Words") -> None:
        """Hide what another one hides."""
        self._addresses |= other._addresses
        self._names |= other._names
        self._ports |= other._ports
        self._short |= other._short
        self._ready = False

    def knows_name(self, name: str) -> bool:
        """Tell whether a name is hidden, or below one that is."""
        labels = name.rstrip(".").lower().split(".")
        return any(".".join(labels[start:]) in self._names for start in range(len(labels) - 1))

    def scrub(self, text: str, *, bare_ports: bool = True) -> str:
        """Return a text with aliases in it; where numbers mean other things, ports by themselves are left."""
        if not self._ready:
            self._prepare()
        if text.lower() in self._short:
            return self._short[text.lower()]
        if self._address_pattern is not None:
            text = self._address_pattern.sub(self._place_of, text)
        if self._name_pattern is not None:
            text = self._name_pattern.sub(lambda found: self._names[found["name"].lower()], text)
        return self._port_pattern.sub("0", text) if self._port_pattern is not None and bare_ports else text

    def cover(self, value: Any, field: str = "") -> Any:
        """Return plain values (of mappings, lists, texts, bytes, numbers) without what is hidden; bytes go entirely."""
        match value:
            case str():
                return _OF_PLACES[field] if field in _OF_PLACES else self.scrub(value)
            case bytes():
                return b""
            case {"address": str() as address, "port": int() as port, **others} if not others:
                literal = self._addresses.get(address.lower())
                return value if literal is None else {"address": literal, "port": 0 if port in self._ports else port}
            case dict():
                kept = {key: one for key, one in value.items() if field != "reply" or key in _TELLING_REPLIES}
                return {key: self.cover(one, key) for key, one in kept.items()}
            case list() | tuple():
                return _OF_PLACES[field] if field in _OF_PLACES else [self.cover(one) for one in value]
            case _:
                return value

    def _place_of(self, found: re.Match[str]) -> str:
        literal = self._addresses[found["address"].lower()]
        port = found["port"]
        if port is None:
            return found["open"] + literal + found["close"]
        return f"{found['open']}{literal}{found['close']}:{0 if int(port) in self._ports else port}"

    def _prepare(self) -> None:
        """Build the patterns; the longest words first, so that none hides a part of another."""
        if self._addresses:
            words = "|".join(re.escape(word) for word in sorted(self._addresses, key=len, reverse=True))
            # Digits alone make another address of it: experiments' ids have dots on both sides.
            self._address_pattern = re.compile(
                rf"(?<![0-9a-f:])(?P<open>\[?)(?P<address>{words})(?P<close>\]?)"
                r"(?::(?P<port>[0-9]{1,5})(?![0-9])|(?![0-9a-f])(?!:[0-9a-f]))",
                re.IGNORECASE,
            )
        if self._names:
            # What follows after a dot is left: `vpn.office.example.ovpn` is the name of a file.
            words = "|".join(re.escape(word) for word in sorted(self._names, key=len, reverse=True))
            self._name_pattern = re.compile(
                rf"(?<![a-z0-9_.-])(?:[a-z0-9_*-]+\.)*?(?P<name>{words})(?![a-z0-9_-])", re.IGNORECASE
            )
        ports = sorted(self._ports - _EVERYBODYS_PORTS)
        if ports:
            words = "|".join(map(str, ports))
            self._port_pattern = re.compile(rf"(?<![0-9.])(?:{words})(?![0-9])")
        self._ready = True
