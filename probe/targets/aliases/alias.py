"""What stands in the place of a tunnel's address and name: an alias of its owner's, or one made with a key.

Made ones are stable for one key, and nobody without it can try addresses against them. An address becomes a literal
of the same family that belongs to nobody (240.0.0.0/4, RFC 1112 section 4; 2001:db8::/32, RFC 3849), so that whatever
reads observations still tells one from another; a port becomes 0.
"""

import hashlib
import ipaddress
import re
from collections.abc import Callable

import msgspec

from probe.model.target import SecretRef, Target
from probe.targets.aliases.scrubbing import Words

_HIDDEN = SecretRef(source="hidden")
"""That there is a secret; a file is often called after its server."""
_NOT_IN_ID = re.compile(r"[^a-z0-9.]+")
_PUBLIC_PARAMS = frozenset({"protocol", "proto", "over", "depth", "login", "type", "security", "transport"})
"""Params that say how, and not where."""


class Aliases:
    """Makes aliases with one key, which is asked for when the first is made."""

    def __init__(self, key: Callable[[], bytes]) -> None:
        self._key = key

    def cover(self, target: Target) -> Target:
        """Return a target as everybody may see it, with an id that does not come from its address."""
        digest = self._hash(target.address, target.key_tag)
        name = target.alias or f"{target.params.get('protocol', target.check.value)}-{digest[:6]}"
        if target.alias:
            digest = hashlib.blake2s(f"alias {target.alias}".encode(), digest_size=5).hexdigest()
        slug = _NOT_IN_ID.sub("-", name.lower()).strip("-")[:60] or "tunnel"
        words = self.words_of(msgspec.structs.replace(target, alias=name))
        return msgspec.structs.replace(
            target,
            id=f"{slug}~{digest[:10]}",
            alias=name,
            address=name,
            host=name,
            port=0,
            path="/",
            params={key: value for key, value in target.params.items() if key in _PUBLIC_PARAMS},
            secrets=dict.fromkeys(target.secrets, _HIDDEN),
            labels={key: words.scrub(value) for key, value in target.labels.items()},
            group=words.scrub(target.group),
            source="",
            request=None,
            expect=None,
        )

    def words_of(self, target: Target) -> Words:
        """Return what must not be seen of a target, and what stands there instead."""
        words = Words()
        words.hide_port(target.port)
        self.hide(words, target.host, target.alias)
        for reference in target.secrets.values():
            place = reference.source.partition(":")[2]
            words.hide_text(place.rpartition("#")[0] or place, "the file")
        for name, text in target.params.items():
            if name not in _PUBLIC_PARAMS and "." in text:
                self.hide(words, text, target.alias)
        return words

    def hide(self, words: Words, text: str, alias: str) -> None:
        """Add an address literal or a name."""
        literal = self.literal(text)
        if literal:
            words.hide_address(text, literal)
        else:
            words.hide_name(text, alias)

    def group_name(self, group: str) -> str:
        """Return what stands for the name of a group that tells where its members are."""
        return f"group-{self._hash(group, 'group')[:6]}"

    def literal(self, address: str) -> str:
        """Return what stands for an address literal; empty = it is none."""
        try:
            parsed = ipaddress.ip_address(address.partition("%")[0])
        except ValueError:
            return ""
        number = int(self._hash(str(parsed), "address", length=16), 16)
        if parsed.version == 4:
            return str(ipaddress.IPv4Address(0xF0000000 | number % 0x0FFFFFFF))
        return str(ipaddress.IPv6Address(0x20010DB8 << 96 | number % (1 << 96)))

    def _hash(self, *parts: str, length: int = 10) -> str:
        text = "\n".join(parts).encode("utf-8", "surrogatepass")
        return hashlib.blake2s(text, key=self._key()[:32], digest_size=length).hexdigest()
