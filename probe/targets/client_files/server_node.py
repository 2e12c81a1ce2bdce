"""One server in a client's settings, and ways to take words from where they stand."""

import dataclasses

from probe.model.written import Written, pairs, words

CHAIN = "chain"
"""The kind of a server that is reached through another one of the same file."""
_YES = frozenset({"true", "yes", "on", "1"})


@dataclasses.dataclass(kw_only=True)
class Node:
    """What is common to the settings of all clients; `params` are named as share links name them."""

    kind: str
    line: int
    fields: dict[str, Written]
    host: str = ""
    port: str = ""
    user: str = ""
    password: str = ""
    params: dict[str, str] = dataclasses.field(default_factory=dict)

    @classmethod
    def of(cls, written: Written, kind: str = "") -> "Node":
        """Take the server, the port and the kind from where all clients have them."""
        node = cls(kind=kind, line=written.line, fields=pairs(written))
        node.kind = kind or node.word("type").lower()
        node.host, node.port = node.word("server").strip("[]"), node.word("port")
        return node

    def word(self, *path: str) -> str:
        """Return a scalar, or a list's scalars with commas between; empty = it is not there."""
        return ",".join(words(self.find(*path)))

    def says(self, *path: str) -> bool:
        """Tell whether a switch is on."""
        return self.word(*path).lower() in _YES

    def find(self, *path: str) -> Written | None:
        """Return what stands at a path of keys; `None` = nothing does."""
        at: Written | None = Written(value=self.fields, line=self.line)
        for key in path:
            at = pairs(at).get(key)
        return at
