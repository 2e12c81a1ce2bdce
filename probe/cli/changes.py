"""What a reload changes: whether anything did, and which targets came, went or are asked differently now."""

import hashlib
import logging
from collections.abc import Mapping
from pathlib import Path

import msgspec

from probe.model.settings import Settings
from probe.model.target import Target
from probe.targets.lists.fetch import find_files

NAMED_AT_MOST = 100


class Changes(msgspec.Struct, frozen=True, kw_only=True):
    """Ids, in the lists' order."""

    added: tuple[str, ...] = ()
    removed: tuple[str, ...] = ()
    changed: tuple[str, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.added or self.removed or self.changed)


def compare_targets(before: Mapping[str, Target], after: Mapping[str, Target]) -> Changes:
    """Return what is different in the second."""
    return Changes(
        added=tuple(name for name in after if name not in before),
        removed=tuple(name for name in before if name not in after),
        changed=tuple(name for name, target in after.items() if name in before and before[name] != target),
    )


def log_changes(log: logging.Logger, changes: Changes) -> None:
    """Write one line for each target, up to a hundred, and one with the counts."""
    if not changes:
        return
    lines = [(kind, name) for kind in ("added", "removed", "changed") for name in getattr(changes, kind)]
    for kind, name in lines[:NAMED_AT_MOST]:
        log.info("target list changed", extra={"change": kind, "target": name})
    log.info(
        "targets changed",
        extra={
            "added": len(changes.added),
            "removed": len(changes.removed),
            "changed": len(changes.changed),
            "not_named": max(0, len(lines) - NAMED_AT_MOST),
        },
    )


def named_files(settings: Settings, config_file: Path | None) -> tuple[str, ...]:
    """Return every file that the configuration is made of: itself, lists, roots, keys, data."""
    names = [str(config_file) if config_file else "", settings.ca_file, settings.asn_file, settings.fingerprints_file]
    names.append(settings.web.modules_file)
    for source in settings.targets:
        names += find_files(source.file) if source.file else ()
        names.append(source.uri if source.uri.endswith((".ovpn", ".conf")) else "")
    for control in settings.controls:
        names += [control.ca_file, control.cert_file, control.key_file]
        if control.token is not None and control.token.source.startswith("file:"):
            names.append(control.token.source.removeprefix("file:"))
    return tuple(dict.fromkeys(name for name in names if name and name != "-"))


def take_fingerprint(settings: Settings, config_file: Path | None) -> bytes:
    """Return a digest of what all these files hold now; reading them takes a while, so call it in a thread."""
    digest = hashlib.sha256()
    for name in named_files(settings, config_file):
        try:
            data = Path(name).read_bytes()
        except OSError as error:
            data = str(error.errno).encode()
        digest.update(f"{name}\0{len(data)}\0".encode())
        digest.update(data)
    return digest.digest()
