"""What a person should know before a list that somebody else made is probed from their network."""

from collections.abc import Iterable

from probe.model.settings import TargetSource

NEUTRAL_LISTS = frozenset({"anchors", "anchors-domestic"})

RISK_STATEMENT = """\
Before Wallprobe asks sites that you did not choose yourself:
  - Whoever runs this network can see which names are asked for, and when. Some of them may be blocked, watched or
    unlawful to visit where you are.
  - Probing again and again looks different from a person browsing. On a network of an employer, a school or a state
    it may break rules that bind you.
  - Wallprobe does not hide itself or you. It sends nothing about you anywhere: what it finds stays on this machine.
Do not run these lists where that could harm you or others. Targets that you type yourself are never held back"""
RISK_REMEDY = "to go on: --accept-risk, WALLPROBE_ACCEPT_RISK=1 or `accept_risk: true` in the configuration"


def risk_statement() -> str:
    """Return the text that is shown once, for shipped and downloaded lists."""
    return RISK_STATEMENT


def needs_acceptance(sources: Iterable[TargetSource]) -> bool:
    """Tell whether any list was made by somebody else: shipped ones that are not neutral, and downloaded ones."""
    return any(source.http_sd or (source.shipped and source.shipped not in NEUTRAL_LISTS) for source in sources)
