"""Tunnels as people have them: a client's file, or a link without secrets. Secrets stay where they are.

A target holds a `SecretRef` for each: `entry:PATH#2.key` is the secret `key` of the third endpoint that the file names,
`file:PATH` a file of its own. `read_secrets` reads them when a conversation begins, and nobody keeps them.
"""

import os
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import quote

from probe.model.errors import UserError
from probe.model.target import CheckName, Exposure, GroupMode, SecretRef, Target
from probe.net.context import SecretMissing
from probe.protocols import load_specs, specs_by_scheme
from probe.protocols.dialogue import DialogueSpec, Parsed
from probe.protocols.link import split_link
from probe.targets.hosts import HostError, bracket, parse_host
from probe.targets.identity import make_id

TIMEOUT_S = 20.0
_MOST_FILE_BYTES = 1_000_000


def is_tunnel_file(text: str) -> bool:
    """Tell whether this names a client's file that is there."""
    suffix = Path(text).suffix.lower()
    return bool(suffix) and "://" not in text and any(suffix in s.suffixes for s in load_specs().values())


def load_tunnel_file(text: str) -> tuple[Target, ...]:
    """Return a target for each endpoint of a client's file.

    Raises:
        UserError: it cannot be read, or is no such file.
    """
    path = Path(text).expanduser().absolute()
    spec, entries = _read_entries(path)
    return tuple(_build(spec, parsed, path, number) for number, parsed in enumerate(entries))


def parse_tunnel(text: str, scheme: str, source: str) -> Target:
    """Return the target of a link that holds no secret.

    Raises:
        UserError: it is no such link, or holds a secret.
    """
    spec = specs_by_scheme()[scheme]
    try:
        parsed = spec.parse(text) if spec.parse is not None else _plain(text, spec)
    except ValueError as error:
        raise UserError(source, f"{scheme}://…: {error}", f"write {scheme}://HOST:PORT") from None
    if parsed.secrets:
        what = f"{scheme}://… holds a secret, which every process list would show"
        raise UserError(source, what, "links with secrets are not read yet; leave the secret out to ask for a hello")
    return _build(spec, parsed, None, 0, source=source)


def read_secrets(target: Target) -> Mapping[str, bytes]:
    """Read the secrets of a target where they stand.

    Raises:
        SecretMissing: one cannot be had; the place is named, never what is in it.
    """
    found: dict[str, bytes] = {}
    for name, reference in target.secrets.items():
        kind, _, place = reference.source.partition(":")
        try:
            if kind == "file":
                found[name] = Path(place).read_bytes()
            else:
                path, _, entry = place.rpartition("#")
                number, _, key = entry.partition(".")
                found[name] = _read_entries(Path(path))[1][int(number)].secrets[key].encode()
        except (OSError, UserError, LookupError):
            raise SecretMissing(f"{reference.source} cannot be read") from None
    return found


def is_open_to_others(text: str) -> bool:
    """Tell whether other users of this machine may read a file."""
    try:
        return bool(os.stat(Path(text).expanduser()).st_mode & 0o077)
    except OSError:
        return False


def _read_entries(path: Path) -> tuple[DialogueSpec, tuple[Parsed, ...]]:
    try:
        if path.stat().st_size > _MOST_FILE_BYTES:
            raise UserError(str(path), "too large for a client's file", "give the file that the VPN's owner handed out")
        text = path.read_text("utf-8", "replace")
    except OSError as error:
        raise UserError(str(path), f"cannot be read ({error.strerror})", "check the name and the rights") from None
    for spec in load_specs().values():
        if path.suffix.lower() in spec.suffixes and spec.read_file is not None:
            if spec.recognise is not None and not spec.recognise(text):
                continue
            try:
                return spec, spec.read_file(text)
            except ValueError as error:
                raise UserError(str(path), str(error), f"give a client's file for {spec.name}") from None
    raise UserError(str(path), "this is no client's file of a protocol known here", "give an .ovpn file")


def _plain(text: str, spec: DialogueSpec) -> Parsed:
    link = split_link(text, spec.default_port)
    if link.user is not None or link.password is not None:
        raise ValueError("a user name or password has no place in it")
    public = {key: value for key, value in link.params.items() if key not in spec.secrets}
    secrets = {key: value for key, value in link.params.items() if key in spec.secrets}
    return Parsed(host=link.host, port=link.port, params=public, secrets=secrets, label=link.label)


def _build(spec: DialogueSpec, parsed: Parsed, path: Path | None, number: int, *, source: str = "") -> Target:
    where = source or str(path)
    try:
        host = parse_host(parsed.host)
    except HostError as error:
        raise UserError(where, f"a host cannot be used: {error}", "write a name or an address") from None
    tail = "&".join(f"{key}={quote(value, safe='')}" for key, value in sorted(parsed.params.items()))
    address = f"{spec.schemes[0]}://{bracket(host)}:{parsed.port}" + (f"?{tail}" if tail else "")
    secrets = {name: SecretRef(source=f"entry:{path}#{number}.{name}") for name in parsed.secrets}
    if path is not None:
        files = ((name, path.parent / file) for name, file in parsed.files.items())
        secrets |= {name: SecretRef(source=f"file:{file}") for name, file in files if name != "login"}
    return Target(
        id=make_id(address, "", None, None),
        check=CheckName.VPN,
        address=address,
        host=host,
        port=parsed.port,
        params={**parsed.params, "protocol": spec.name},
        secrets=secrets,
        group=path.name if path is not None else "",
        group_mode=GroupMode.ANY if path is not None else GroupMode.LABEL,
        exposure=Exposure.PRIVATE if secrets else Exposure.SHARED,
        timeout_s=TIMEOUT_S,
        source=where,
    )
