"""Relabelling of a Prometheus job, carried out on one target: it says what is probed, and by which module.

Source: prometheus docs/configuration, relabel_config (actions, defaults, anchored expressions), and Go's
`Regexp.Expand` for `$1` and `${name}`. Less than Prometheus: `hashmod`, which shares targets out among servers.
"""

import re
from collections.abc import Callable

import msgspec

from probe.model.written import Written, items, pairs, plain, words
from probe.targets.expectations import compile_problem
from probe.targets.importers.blackbox_modules import Notes

_REFERENCE = re.compile(r"\$(?:\$|(\w+)|\{(\w+)\})", re.ASCII)
_NEEDS_TARGET = frozenset({"replace", "lowercase", "uppercase", "keepequal", "dropequal"})

Labels = dict[str, str]


class Rule(msgspec.Struct, frozen=True, kw_only=True):
    """One step, with Prometheus' defaults filled in."""

    action: str
    sources: tuple[str, ...]
    separator: str
    expression: str
    target: str
    replacement: str

    def value(self, labels: Labels) -> str:
        """Return what the expression is held against."""
        return self.separator.join(labels.get(name, "") for name in self.sources)

    def match(self, text: str) -> "re.Match[str] | None":
        """Hold the whole of a text against the expression."""
        return re.fullmatch(self.expression, text, re.DOTALL)


def parse_rules(written: Written | None, job: str, notes: Notes) -> tuple[Rule, ...]:
    """Return the rules of a job; one that cannot be carried out is left out, and told."""
    rules = []
    for config in items(written):
        members = pairs(config)
        action = str(plain(members.get("action")) or "replace").lower()
        expression = _scalar(members, "regex", "(.*)")
        rule = Rule(
            action=action,
            sources=tuple(words(members.get("source_labels"))),
            separator=_scalar(members, "separator", ";"),
            expression=expression,
            target=_scalar(members, "target_label", ""),
            replacement=_scalar(members, "replacement", "$1"),
        )
        problem = compile_problem(expression)
        if action not in _ACTIONS or (action in _NEEDS_TARGET and not rule.target):
            notes.add(config.line, f"job {job!r}: this relabelling ({action[:20]}) has no equivalent")
        elif problem:
            notes.add(config.line, f"job {job!r}: {expression[:60]!r} is Go's syntax, not Python's: {problem}")
        else:
            rules.append(rule)
    return tuple(rules)


def _scalar(members: dict[str, Written], key: str, default: str) -> str:
    """Return a member's text; what is written as nothing (`''`) is nothing, what is not written the default."""
    value = plain(members.get(key)) if key in members else default
    return value if isinstance(value, str) else ""


def relabel(labels: Labels, rules: tuple[Rule, ...]) -> Labels | None:
    """Return the labels after all rules; `None` = a rule drops this target."""
    labels = dict(labels)
    for rule in rules:
        if not _ACTIONS[rule.action](labels, rule):
            return None
    return labels


def _expand(found: "re.Match[str]", template: str) -> str:
    """Put groups into a template; one that there is not is nothing."""

    def fill(reference: "re.Match[str]") -> str:
        name = reference[1] or reference[2]
        if name is None:
            return "$"
        try:
            return found[int(name) if name.isdigit() else name] or ""
        except (IndexError, OverflowError):
            return ""

    return _REFERENCE.sub(fill, template)


def _put(labels: Labels, name: str, value: str) -> None:
    if value:
        labels[name] = value
    else:
        labels.pop(name, None)


def _replace(labels: Labels, rule: Rule) -> bool:
    found = rule.match(rule.value(labels))
    if found is not None:
        _put(labels, _expand(found, rule.target), _expand(found, rule.replacement))
    return True


def _map(labels: Labels, rule: Rule) -> bool:
    for name, value in list(labels.items()):
        if (found := rule.match(name)) is not None:
            _put(labels, _expand(found, rule.replacement), value)
    return True


def _leave(*, matching: bool) -> Callable[[Labels, Rule], bool]:
    """Return what leaves out labels whose names match, or those whose names do not."""

    def leave(labels: Labels, rule: Rule) -> bool:
        for name in [name for name in labels if (rule.match(name) is not None) is matching]:
            del labels[name]
        return True

    return leave


def _change(change: Callable[[str], str]) -> Callable[[Labels, Rule], bool]:
    def put(labels: Labels, rule: Rule) -> bool:
        _put(labels, rule.target, change(rule.value(labels)))
        return True

    return put


_ACTIONS: dict[str, Callable[[Labels, Rule], bool]] = {
    "replace": _replace,
    "keep": lambda labels, rule: rule.match(rule.value(labels)) is not None,
    "drop": lambda labels, rule: rule.match(rule.value(labels)) is None,
    "keepequal": lambda labels, rule: rule.value(labels) == labels.get(rule.target, ""),
    "dropequal": lambda labels, rule: rule.value(labels) != labels.get(rule.target, ""),
    "labelmap": _map,
    "labeldrop": _leave(matching=True),
    "labelkeep": _leave(matching=False),
    "lowercase": _change(str.lower),
    "uppercase": _change(str.upper),
}
