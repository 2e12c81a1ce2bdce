"""YAML as people write it (JSON is a part of it), read into `Written` nodes that remember their line.

Source: YAML 1.2.2. Less than the specification: one document, no tags, mapping keys are scalars and occur once;
scalars are not guessed into numbers or booleans, because the reader of a value knows what it should be. Built from
parser events and not by PyYAML's composer: half the time for a list of 100,000 lines, no recursion that a deep
document could exhaust, and aliases share their node instead of being copied.
"""

from collections.abc import Iterable

import yaml

from probe.model.errors import UserError
from probe.model.written import Written

MAX_DEPTH = 64

_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_NULLS = frozenset({"", "~", "null", "Null", "NULL"})
_Node = list[Written] | dict[str, Written]


class _Builder:
    """Puts events together; `open_nodes` is the path from the root to where we are."""

    def __init__(self, where: str) -> None:
        self.where = where
        self.root: Written | None = None
        self.open_nodes: list[tuple[_Node, int, str | None, dict[str, int]]] = []
        self.pending_key: list[str | None] = []
        self.anchors: dict[str, Written] = {}

    def fail(self, line: int, what: str, remedy: str) -> UserError:
        return UserError(f"{self.where}:{line}", what, remedy)

    def place(self, written: Written) -> None:
        """Put a finished node where it belongs."""
        if not self.open_nodes:
            self.root = written
            return
        node, _, _, key_lines = self.open_nodes[-1]
        if isinstance(node, list):
            node.append(written)
            return
        key = self.pending_key[-1]
        if key is None:
            key = self.pending_key[-1] = self._key(written, node)
            key_lines[key] = written.line
        else:
            node[key] = written
            self.pending_key[-1] = None

    def _key(self, written: Written, node: dict[str, Written]) -> str:
        if not isinstance(written.value, str):
            raise self.fail(written.line, "a key is not a word", "write `key: value`")
        if written.value in node:
            raise self.fail(written.line, f"key {written.value!r} is here twice", "leave one of them")
        return written.value

    def scalar(self, event: yaml.ScalarEvent) -> None:
        text = event.value
        is_null = event.implicit[0] and text in _NULLS  # plain: not in quotes, no tag
        # Keys are text: even `null` is the word that stands there.
        is_key = bool(self.open_nodes) and isinstance(self.open_nodes[-1][0], dict) and self.pending_key[-1] is None
        written = Written(value=None if is_null and not is_key else text, line=_line(event))
        if event.anchor:
            self.anchors[event.anchor] = written
        self.place(written)

    def open(self, event: yaml.CollectionStartEvent, node: _Node) -> None:
        line = _line(event)
        if len(self.open_nodes) >= MAX_DEPTH:
            raise self.fail(line, f"nested deeper than {MAX_DEPTH} levels", "write it flatter")
        self.open_nodes.append((node, line, event.anchor, {}))
        self.pending_key.append(None)

    def close(self) -> None:
        node, line, anchor, key_lines = self.open_nodes.pop()
        self.pending_key.pop()
        value = _merged(node) if isinstance(node, dict) else tuple(node)
        written = Written(value=value, line=line, key_lines=key_lines or None)
        if anchor:
            self.anchors[anchor] = written
        self.place(written)

    def alias(self, event: yaml.AliasEvent) -> None:
        line = _line(event)
        if event.anchor not in self.anchors:
            raise self.fail(line, f"*{event.anchor} is not defined above", f"define it with &{event.anchor} first")
        self.place(self.anchors[event.anchor])


def _line(event: yaml.Event) -> int:
    return 0 if event.start_mark is None else event.start_mark.line + 1


def _merged(node: dict[str, Written]) -> dict[str, Written]:
    """Apply `<<: *defaults` (the merge key of YAML 1.1): own keys win."""
    merge = node.pop("<<", None)
    if merge is None:
        return node
    sources: Iterable[Written] = merge.value if isinstance(merge.value, tuple) else (merge,)
    for source in sources:
        if isinstance(source.value, dict):
            node = {**source.value, **node}
    return node


def read_yaml(text: str, where: str) -> Written:
    """Read one document; an empty one is `Written(value=None)`.

    Raises:
        UserError: it is not YAML, or holds what we leave out; the place is `where:line`.
    """
    builder = _Builder(where)
    try:
        for event in yaml.parse(text, Loader=_LOADER):
            if isinstance(event, yaml.ScalarEvent):
                builder.scalar(event)
            elif isinstance(event, yaml.SequenceStartEvent):
                builder.open(event, [])
            elif isinstance(event, yaml.MappingStartEvent):
                builder.open(event, {})
            elif isinstance(event, yaml.CollectionEndEvent):
                builder.close()
            elif isinstance(event, yaml.AliasEvent):
                builder.alias(event)
            elif isinstance(event, yaml.DocumentStartEvent) and builder.root is not None:
                raise builder.fail(_line(event), "a second document begins here", "keep one per file")
    except yaml.YAMLError as error:
        raise _syntax_error(error, where) from None
    return builder.root or Written(value=None, line=1)


def _syntax_error(error: yaml.YAMLError, where: str) -> UserError:
    mark = getattr(error, "problem_mark", None)
    problem = getattr(error, "problem", None) or getattr(error, "reason", None) or "unreadable characters"
    place = f"{where}:{mark.line + 1}" if mark is not None else where
    remedy = "indent with spaces" if "\\t" in repr(problem) else "check indentation, quotes and colons here"
    return UserError(place, f"not YAML: {problem}", remedy)
