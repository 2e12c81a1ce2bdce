"""Reads a target's secrets where they stand, as a `SecretRef` says; nobody keeps them.

A reader remembers the texts that it has read, so that a list of thousands of links is read once: make a new one for
each look, or what has changed since is not seen.
"""

from collections.abc import Mapping

from probe.model.errors import UserError
from probe.model.target import Target
from probe.net.context import SecretMissing
from probe.targets.secret_places import Given, is_named_place, read_place
from probe.targets.tunnel_texts import Entry, decode_text, find_link, parse_link, parse_tunnel_text

LOGIN = "login"
"""Name of the secret that is a user's name and password."""


class SecretReader:
    """For one look at one or many targets."""

    def __init__(self, given: Given | None = None) -> None:
        """Prepare; `given` holds what came in an argument or on standard input."""
        self._given = given or Given()
        self._lines: dict[str, list[str]] = {}
        self._entries: dict[str, tuple[Entry, ...]] = {}

    def read_all(self, target: Target) -> dict[str, bytes]:
        """Return what can be read of a target's secrets, by name; what cannot is left out."""
        found: dict[str, bytes] = {}
        for name, reference in target.secrets.items():
            try:
                found[name] = self.read(reference.source)
            except (OSError, UserError, LookupError, ValueError):
                continue
        return found

    def read(self, source: str) -> bytes:
        """Return one secret.

        Raises:
            OSError, UserError, LookupError, ValueError: it cannot be had.
        """
        kind, _, place = source.partition(":")
        match kind:
            case "given":
                return self._given.read(source)
            case "file":
                return read_place(place)
            case "env" | "credential":
                return read_place(source).strip(b"\r\n")
            case "entry":
                path, number, key = _split_entry(place)
                return self._entries_of(path)[number].parsed.secrets[key].encode("utf-8", "surrogateescape")
            case "line":
                path, number, key = _split_entry(place)
                line = self._lines_of(path)[number - 1]
                return parse_link(find_link(line) or line.strip()).parsed.secrets[key].encode()
            case _:
                raise LookupError(kind)

    def _entries_of(self, path: str) -> tuple[Entry, ...]:
        if path not in self._entries:
            text = decode_text(read_place(path))
            self._entries[path] = parse_tunnel_text(text, "" if is_named_place(path) else path).entries
        return self._entries[path]

    def _lines_of(self, path: str) -> list[str]:
        if path not in self._lines:
            self._lines[path] = read_place(path).decode("utf-8-sig", "replace").split("\n")
        return self._lines[path]


def read_secrets(target: Target, given: Given | None = None, *, login: bool = False) -> Mapping[str, bytes]:
    """Read the secrets of a target where they stand; a login is read only when one is to be made.

    Raises:
        SecretMissing: one cannot be had; the place is named, never what is in it.
    """
    reader = SecretReader(given)
    found: dict[str, bytes] = {}
    for name, reference in target.secrets.items():
        if name == LOGIN and not login:
            continue
        try:
            found[name] = reader.read(reference.source)
        except (OSError, UserError, LookupError, ValueError):
            raise SecretMissing(f"{reference.source} cannot be read") from None
    return found


def _split_entry(place: str) -> tuple[str, int, str]:
    path, _, entry = place.rpartition("#")
    number, _, key = entry.partition(".")
    return path, int(number), key
