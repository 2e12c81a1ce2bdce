"""Tunnels as people have them become targets. Secrets stay where they are; a target holds a `SecretRef` for each.

`secret_reading` reads them when a conversation begins, and nobody keeps them.
"""

from collections.abc import Callable, Mapping
from pathlib import Path
from urllib.parse import quote

import msgspec

from probe.model.errors import UserError
from probe.model.target import CheckName, Exposure, GroupMode, SecretRef, Target
from probe.protocols.dialogue import DialogueSpec, Parsed
from probe.protocols.written.link import NotSpokenError
from probe.targets.hosts import HostError, bracket, parse_host
from probe.targets.identity import make_id
from probe.targets.secret_places import Given, is_named_place, place_of_file, read_place
from probe.targets.secret_reading import SecretReader
from probe.targets.tunnel_texts import (
    BrokenFileError,
    Entry,
    Mistake,
    decode_text,
    holds_only_tunnels,
    parse_link,
    parse_tunnel_text,
)

TIMEOUT_S = 20.0
PRIVATE_INTERVAL_S = 1800.0
"""A private endpoint is asked no oftener, whatever its list says (CONTRACT section 6)."""
SPACING_S = 60.0
"""And any other tunnel no oftener than this."""
ENTRIES_KEPT = 500
_LINES_NAMED = 8
LEAVE_OUT = "copy the link again, or leave the line out"
STDIN = "standard input"
_CLIENT_ENDINGS = (".ovpn", ".conf", ".sub", ".vpn")
_ENDINGS = (*_CLIENT_ENDINGS, ".txt", ".list", ".yaml", ".yml", ".json")

Keep = Callable[[Mapping[str, str]], dict[str, SecretRef]]
"""Takes secrets and returns what a target holds in their place."""


class Tunnels(msgspec.Struct, frozen=True, kw_only=True):
    """The endpoints of one file or list, and what was wrong with its other lines."""

    targets: tuple[Target, ...]
    mistakes: tuple[UserError, ...] = ()
    """One for each reason that a line is no endpoint."""
    notes: tuple[str, ...] = ()


def is_tunnel_place(text: str) -> bool:
    """Tell whether this names a client's file or list of links that is there, or a variable or credential with one."""
    if "://" in text or "\n" in text:
        return False
    if is_named_place(text):
        return True
    # Without a slash only what cannot be meant for a site's name.
    try:
        return ("/" in text or text.lower().endswith(_ENDINGS)) and Path(text).expanduser().is_file()
    except (OSError, RuntimeError):  # a folder that we may not enter; a `~name` that is nobody's
        return False


def is_tunnel_file(text: str) -> bool:
    """Tell whether this names a file in which tunnels stand and nothing else: no list with sites among its lines."""
    if not is_tunnel_place(text):
        return False
    if is_named_place(text) or text.lower().endswith(_CLIENT_ENDINGS):
        return True
    try:
        return holds_only_tunnels(decode_text(read_place(place_of_file(text))))
    except UserError:
        return False


def load_tunnels(text: str) -> Tunnels:
    """Return a target for each endpoint of a client's file or list of links: a path, `env:NAME` or `credential:NAME`.

    Raises:
        UserError: it cannot be read, or is no such file.
    """
    place = text if is_named_place(text) else place_of_file(text)

    def refer(number: int, entry: Entry) -> dict[str, SecretRef]:
        found = {name: SecretRef(source=f"entry:{place}#{number}.{name}") for name in entry.parsed.secrets}
        folder = Path(place).parent
        files = {} if is_named_place(place) else entry.parsed.files
        return found | {name: SecretRef(source=f"file:{folder / path}") for name, path in files.items()}

    return _build_all(read_place(place), place, refer)


def parse_given_tunnels(data: bytes, given: Given) -> Tunnels:
    """Return a target for each endpoint of what came on standard input.

    Raises:
        UserError: it is no client's file, nor links.
    """
    return _build_all(data, STDIN, lambda _number, entry: given.keep(entry.parsed.secrets))


def parse_tunnel(
    text: str, scheme: str, source: str, keep: Keep | None = None, reader: SecretReader | None = None
) -> Target:
    """Return the target of a link or bridge line.

    What is secret in it is referred to by the line of the list that it stands in, or handed to `keep`. `reader` looks
    whether it does stand there: one for all links of a list, or each reads the list anew.

    Raises:
        UserError: it is no such link, or holds a secret and nothing can be referred to.
    """
    try:
        entry = parse_link(text)
    except NotSpokenError as error:
        raise UserError(source, str(error), error.remedy) from None
    except ValueError as error:
        raise UserError(
            source, f"{scheme}://…: {error}", f"write {scheme}://HOST:PORT, or copy the link again"
        ) from None
    if entry.parsed.files and source.startswith(("http://", "https://")):
        raise UserError(source, "names a file, and the list came by URL", "name files in a list on disk only")
    files = {name: SecretRef(source=f"file:{place_of_file(path)}") for name, path in entry.parsed.files.items()}
    if not entry.parsed.secrets:
        return _build(entry.spec, entry.parsed, files, source)
    if keep is not None:
        return _build(entry.spec, entry.parsed, keep(entry.parsed.secrets) | files, source)
    path, _, line = source.rpartition(":")
    place = place_of_file(path)
    references = {name: SecretRef(source=f"line:{place}#{line}.{name}") for name in entry.parsed.secrets}
    reader = SecretReader() if reader is None else reader
    try:
        stands = {name: reader.read(reference.source).decode() for name, reference in references.items()}
    except (UserError, LookupError, ValueError, OSError):
        stands = {}
    if stands != dict(entry.parsed.secrets):
        what = f"{scheme}://… holds a secret, and cannot be read again where it stands"
        raise UserError(source, what, "put the link into a file of its own (chmod 600) and name that file") from None
    return _build(entry.spec, entry.parsed, references | files, source)


def _build_all(data: bytes, place: str, refer: Callable[[int, Entry], dict[str, SecretRef]]) -> Tunnels:
    try:
        found = parse_tunnel_text(decode_text(data), "" if is_named_place(place) or place == STDIN else place)
    except BrokenFileError as error:
        raise UserError(place, str(error), "mend it, or take the file again from whoever gave it to you") from None
    except NotSpokenError as error:
        raise UserError(place, str(error), error.remedy) from None
    except ValueError as error:
        remedy = "give a client's file such as office.ovpn, or share links, one per line"
        raise UserError(place, str(error), remedy) from None
    group = Path(place).name if "/" in place else place.partition(":")[2] or place
    targets = [
        msgspec.structs.replace(
            _build(entry.spec, entry.parsed, refer(number, entry), place),
            group=group if len(found.entries) > 1 or found.is_client_file else "",
            group_mode=GroupMode.ANY if len(found.entries) > 1 or found.is_client_file else GroupMode.LABEL,
        )
        for number, entry in _list_once(found.entries)[:ENTRIES_KEPT]
    ]
    notes: list[str] = []
    if len(found.entries) > ENTRIES_KEPT:
        notes.append(f"{place}: the first {ENTRIES_KEPT} of {len(found.entries)} endpoints are taken")
    if any(entry.spec.takes_over and entry.parsed.secrets for entry in found.entries[:ENTRIES_KEPT]):
        notes.append(f"{place}: a handshake draws its user's session to this host; give the probe a key of its own")
    return Tunnels(targets=tuple(targets), mistakes=_join_mistakes(found.mistakes, place), notes=tuple(notes))


def _list_once(entries: tuple[Entry, ...]) -> list[tuple[int, Entry]]:
    """Return the entries with their numbers, each endpoint once: some files name one again to try it again."""
    seen: dict[tuple[object, ...], tuple[int, Entry]] = {}
    for number, entry in enumerate(entries):
        parsed = entry.parsed
        words = (tuple(sorted(part.items())) for part in (parsed.params, parsed.secrets, parsed.files))
        seen.setdefault((entry.spec.name, parsed.host, parsed.port, *words), (number, entry))
    return list(seen.values())


def _join_mistakes(mistakes: tuple[Mistake, ...], place: str) -> tuple[UserError, ...]:
    """Return one error for each reason: half of a subscription may be of one kind that is not spoken here."""
    lines: dict[str, list[Mistake]] = {}
    for mistake in mistakes:
        lines.setdefault(mistake.what, []).append(mistake)
    joined: list[UserError] = []
    for what, alike in lines.items():
        numbers = [str(mistake.line) for mistake in alike]
        more = f" and {len(numbers) - _LINES_NAMED} more" if len(numbers) > _LINES_NAMED else ""
        where = f"{place}:{', '.join(numbers[:_LINES_NAMED])}{more}"
        joined.append(UserError(where, what, alike[0].remedy or LEAVE_OUT))
    return tuple(joined)


def _build(spec: DialogueSpec, parsed: Parsed, secrets: dict[str, SecretRef], where: str) -> Target:
    try:
        host = parse_host(parsed.host)
    except HostError:
        # The parser's own words are not quoted: in a link that was cut a password may stand where the host should.
        raise UserError(where, "a host is neither a name nor an address", "check the link or file") from None
    tail = "&".join(f"{key}={quote(value, safe='')}" for key, value in sorted(parsed.params.items()))
    address = f"{spec.schemes[0]}://{bracket(host)}:{parsed.port}" + (f"?{tail}" if tail else "")
    made = make_id(address, "", None, None)
    return Target(
        # Whoever reads metrics must not learn from an id where a private endpoint is.
        id=f"{spec.name}~{made.rpartition('~')[2]}" if secrets else made,
        check=CheckName.VPN,
        address=address,
        host=host,
        port=parsed.port,
        params={**parsed.params, "protocol": spec.name},
        secrets=secrets,
        exposure=Exposure.PRIVATE if secrets else Exposure.SHARED,
        interval_s=PRIVATE_INTERVAL_S if secrets else 300.0,
        timeout_s=TIMEOUT_S,
        source=where,
    )
