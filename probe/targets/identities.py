"""Targets whose addresses differ in nothing but a secret are different targets: two users of one server.

An id derives from what is public, so that it is the same on every vantage. The first secret at an address has that id;
each further one has a mark in it, a hash that is keyed by the installation, because of a plain hash of a password
anybody could find the password. Which secret came first is remembered, so a history stays with its target in whatever
order links are written. A secret that was changed where it stands, as passwords are, keeps its target's id.
"""

import hashlib
from collections.abc import Callable, Iterable, Mapping

import msgspec

from probe.model.target import Target
from probe.targets.lists.loaded import Loaded, merge_targets
from probe.targets.secret_places import Given
from probe.targets.secret_reading import SecretReader

_TAG_BYTES = 8
_MARK_LENGTH = 6


class Known(msgspec.Struct, frozen=True, kw_only=True):
    """One secret that was seen at an address."""

    id: str
    """Of the target that it makes."""
    tag: str
    place: str
    """Keyed hash of where it stands; empty = nowhere that lasts."""


Register = Mapping[str, tuple[Known, ...]]
"""What is known, by the id that the address alone would give; in each, who came first stands first."""


class Identities:
    """Long-lived: one per process."""

    def __init__(self, key: bytes, register: Register | None = None, keep: Callable[[Register], None] | None = None):
        """Prepare; `keep` is called with the register after it has changed."""
        self._key = key
        self._register = dict(register or {})
        self._keep = keep

    def settle(self, loaded: Loaded, given: Given | None = None) -> Loaded:
        """Return the list with an id of its own for each target; what is twice the same is one, and noted."""
        if not any(target.secrets for target in loaded.targets):
            return loaded
        notes: list[str] = []
        targets = self.settle_targets(loaded.targets, given, notes)
        return msgspec.structs.replace(loaded, targets=targets, notes=(*loaded.notes, *notes))

    def settle_targets(
        self, targets: Iterable[Target], given: Given | None = None, notes: list[str] | None = None
    ) -> tuple[Target, ...]:
        """Return the targets with their ids, each once; notes say which were the same."""
        reader, before = SecretReader(given), dict(self._register)
        tagged = [self._tag(target, reader) for target in targets]
        present = {(target.id, target.key_tag) for target in tagged}
        found: dict[str, Target] = {}
        for target in tagged:
            own = self._identify(target, present) if target.secrets else target
            first = found.setdefault(own.id, own)
            if first is not own:
                found[own.id] = merge_targets(first, own)
                if notes is not None:
                    notes.append(f"{own.source}: the same target is also at {first.source}; the two are one")
        if self._register != before and self._keep is not None:
            self._keep(self._register)
        return tuple(found.values())

    def _tag(self, target: Target, reader: SecretReader) -> Target:
        if not target.secrets:
            return target
        # Without a tag, where no secret can be read, the target is told from others by its place alone.
        secrets = reader.read_all(target)
        parts = [part for name in sorted(secrets) for part in (name.encode(), secrets[name])]
        return msgspec.structs.replace(target, key_tag=self._hash(*parts) if parts else "")

    def _identify(self, target: Target, present: set[tuple[str, str]]) -> Target:
        known = list(self._register.get(target.id, ()))
        place = self._place_of(target)
        match = next((k for k in known if k.tag == target.key_tag and target.key_tag), None)
        if match is None:
            # The same place, and the secret that stood there is nowhere in the list any more: it was changed, and is
            # this one.
            gone = (k for k in known if place and k.place == place and (target.id, k.tag) not in present)
            match = next(gone, None)
        if match is None:
            mark = (target.key_tag or place)[:_MARK_LENGTH]
            name, tilde, rest = target.id.partition("~")
            new_id = f"{name}-{mark}{tilde}{rest}" if known and mark else target.id
            known.append(Known(id=new_id, tag=target.key_tag, place=place))
        else:
            new_id = match.id
            renewed = Known(id=match.id, tag=target.key_tag or match.tag, place=place or match.place)
            known = [renewed if k is match else k for k in known]
        self._register[target.id] = tuple(known)
        return target if new_id == target.id else msgspec.structs.replace(target, id=new_id)

    def _place_of(self, target: Target) -> str:
        places = sorted(reference.source for reference in target.secrets.values())
        return "" if places[0].startswith("given:") else self._hash(*(place.encode() for place in places))

    def _hash(self, *parts: bytes) -> str:
        text = b"".join(len(part).to_bytes(4, "big") + part for part in parts)
        return hashlib.blake2s(text, key=self._key[:32], digest_size=_TAG_BYTES).hexdigest()
