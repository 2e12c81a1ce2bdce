"""What the rules mean, as a text for each version of them: `python -m tests.golden.meaning` records it.

Stored verdicts carry `RULES_VERSION`, so nothing that a rule says may change under a version that is recorded already.
The text has every rule in the order in which it is asked, the verdicts of its two golden cases, and the status table.
Left out is wording: a better sentence is no other meaning.
"""

import itertools
import json
import pathlib
import sys
from collections.abc import Iterator
from typing import Any

from probe.classify.rules.layers import LAYERED, OUTSIDE
from probe.classify.rules.name import BESIDE_RULES, NAME_RULES
from probe.classify.rules.rule import Rule
from probe.classify.status import Usable, decide
from probe.model.verdict import RULES_VERSION, Cause, Confidence

HERE = pathlib.Path(__file__).parent
FILE = HERE / "meaning.txt"
COMMAND = "python -m tests.golden.meaning"
RAISE = (
    f"the rules mean something else than what is recorded for version {RULES_VERSION}: raise RULES_VERSION in "
    f"probe/model/verdict.py by one, then run `{COMMAND}`"
)
RECORD = f"version {RULES_VERSION} of the rules is not recorded: run `{COMMAND}` and read the diff"


def render_meaning() -> str:
    """Return the text of the rules as they are."""
    return "\n".join((f"version {RULES_VERSION}", *_statuses(), *_rules())) + "\n"


def find_fault(recorded: str, rendered: str) -> str:
    """Return what must be done when the rules differ from what is recorded; empty = nothing."""
    if recorded == rendered:
        return ""
    old, _, _ = recorded.partition("\n")
    return RAISE if old == f"version {RULES_VERSION}" else RECORD


def _statuses() -> Iterator[str]:
    yield "\nstatus (C0 C1 C2 C3)"
    for usable, cause in itertools.product(Usable, Cause):
        yield f"{usable} {cause}: " + " ".join(decide(usable, cause, confidence) for confidence in Confidence)


def _rules() -> Iterator[str]:
    beside = [tuple(rule for rule in rules if rule not in NAME_RULES) for rules in BESIDE_RULES]
    layers: list[tuple[str, tuple[Rule[Any], ...]]] = [("name", NAME_RULES), ("beside a name", sum(beside, ()))]
    layers += [(f"path {n}", tuple(r for s in layer for r in s.rules)) for n, layer in enumerate(LAYERED, 1)]
    layers.append(("seen from outside", tuple(r for s in OUTSIDE for r in s.rules)))
    for title, rules in layers:
        yield f"\n{title} (id: pattern, cause, family, level | its cases)"
        yield from map(_line, rules)


def _line(rule: Rule[Any]) -> str:
    level = f"C{rule.level.value}" if isinstance(rule.level, Confidence) else "level by facts"
    family = rule.family.value if rule.family_of is None else f"{rule.family.value} or by who looked"
    flags = [word for word, is_set in (("usable", rule.usable), ("interferes", rule.interferes)) if is_set]
    says = ", ".join((rule.pattern.value if rule.pattern else "-", rule.cause.value, family, level, *flags))
    return f"{rule.id}: {says} | {_verdict(rule.id, 'fires')} / {_verdict(rule.id, 'nearly')}"


def _verdict(rule: str, name: str) -> str:
    file = HERE / rule / f"{name}.json"
    if not file.exists():
        return "no case"  # which `test_golden` does not let pass
    verdict = json.loads(file.read_text(encoding="utf-8"))["verdict"]
    patterns = " ".join(verdict.get("patterns", ()))
    return " ".join(
        filter(None, (verdict["status"], verdict.get("cause", "none"), f"C{verdict.get('confidence', 0)}", patterns))
    )


def main() -> int:
    """Record the rules as they are; return 1 where that would change what a version means."""
    rendered = render_meaning()
    if find_fault(FILE.read_text(encoding="utf-8") if FILE.exists() else "", rendered) == RAISE:
        sys.stderr.write(f"{RAISE}\n(a record that was never published: `git checkout {FILE.name}` first)\n")
        return 1
    FILE.write_text(rendered, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
