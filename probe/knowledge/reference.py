"""Everything known beforehand, read once: our own files, and those that the operator names."""

import hashlib
from collections.abc import Callable
from importlib import resources
from types import TracebackType
from typing import Self

from probe.knowledge.asn import AsnLookup
from probe.knowledge.fingerprints import parse_fingerprints
from probe.knowledge.forged import parse_forged
from probe.model.errors import UserError
from probe.model.fingerprint import Reference
from probe.model.settings import Settings
from probe.net.context import unknown_asn


class Knowledge:
    """Long-lived; close it, or use it as a block."""

    def __init__(self, reference: Reference, asn: AsnLookup | None, errors: tuple[UserError, ...] = ()) -> None:
        self.reference = reference
        self.errors = errors
        """Rows of the operator's fingerprint file that are none."""
        self._asn = asn
        self.asn_of: Callable[[str], int] = unknown_asn if asn is None else asn.asn_of
        """Return the AS number of an address literal; 0 = not known."""

    def close(self) -> None:
        """Close what is open."""
        if self._asn is not None:
            self._asn.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def load_knowledge(settings: Settings) -> Knowledge:
    """Read all that the settings name, and what is our own.

    Raises:
        UserError: a file that is named cannot be read.
    """
    named = (settings.fingerprints_file,) if settings.fingerprints_file else ()
    reference, errors = load_reference(*named)
    return Knowledge(reference, AsnLookup.open(settings.asn_file) if settings.asn_file else None, errors)


def load_reference(*fingerprints_files: str) -> tuple[Reference, tuple[UserError, ...]]:
    """Return fingerprints and forged addresses, with a version that changes with any byte of them.

    Raises:
        UserError: a file cannot be read.
    """
    own = _read_own("fingerprints.csv")
    forged = _read_own("forged_addresses.csv")
    fingerprints, mistakes = parse_fingerprints(own, "fingerprints.csv")
    if mistakes:
        raise ValueError(f"our own file is wrong: {mistakes[0]}")
    version = f"own-{_digest(own + forged)}"
    errors: tuple[UserError, ...] = ()
    for path in fingerprints_files:
        text = _read_named(path)
        others, wrong = parse_fingerprints(text, path)
        fingerprints += others
        errors += wrong
        version += f"+file-{_digest(text)}"
    return Reference(version=version, fingerprints=fingerprints, forged_addresses=parse_forged(forged)), errors


def _read_own(name: str) -> str:
    return resources.files("probe.knowledge").joinpath(name).read_text("utf-8")


def _read_named(path: str) -> str:
    try:
        with open(path, encoding="utf-8-sig", errors="replace", newline="") as file:
            return file.read()
    except (OSError, ValueError) as error:
        problem = error.strerror if isinstance(error, OSError) and error.strerror else "no path"
        raise UserError(path, f"cannot be read: {problem}", "check the path and its permissions") from None


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:8]
