"""A group of endpoints as a person reads it: the verdict, a ladder for each endpoint, what it means, what to do next.

Pure text. Source of the shape: CONTRACT section 8, the second example.
"""

from collections.abc import Sequence

from probe.export.text.advice import advise
from probe.export.text.failure_words import say_failure
from probe.export.text.own_steps import own_steps
from probe.export.text.report import Line, Tone, build_head
from probe.export.text.stages import write_stages
from probe.export.text.untried import name_untried
from probe.export.text.words import render_duration
from probe.model.depth import Depth
from probe.model.measurement import Measurement
from probe.model.observation import DialogueExchange, DNSLookup, TCPConnect, TLSHandshake
from probe.model.verdict import Verdict

_UNPROVEN = frozenset({"vpn.silent.unproven", "vpn.closed.unproven"})
SAME_KEYS = (
    "Other endpoints take the same keys; the one marked ✗ answers nothing: it is off, or the way to it is closed."
)


def build_group_report(name: str, verdict: Verdict, members: Sequence[Measurement]) -> tuple[Line, ...]:
    """Return the report of a group; `members` are the last runs of its endpoints, in the file's order."""
    runtime_s = max((member.runtime_s for member in members), default=0.0)
    lines = [build_head(verdict, f"{name}   {verdict.summary}", runtime_s)]
    for place, member in zip(name_members(members), members, strict=True):
        lines += _endpoint_lines(place, member)
    meanings = dict.fromkeys(_say_meaning(member, members) for member in members if not member.verdict.status.reachable)
    lines += [Line(text=f"  {meaning}") for meaning in meanings if meaning]
    untried = dict.fromkeys(name_untried(member) for member in members)
    lines += [Line(text=f"  Not tried: {what}.") for what in untried if what]
    pending = dict.fromkeys(item.question for member in members for item in member.verdict.pending)
    lines += [Line(text=f"  Pending: {question} (--wait)", tone=Tone.CARE) for question in pending]
    steps = dict.fromkeys(step for member in members if not member.verdict.status.reachable for step in advise(member))
    if not verdict.works:
        lines += [Line(text=f"  Next: {step}") for step in steps]
    ids = " ".join(member.id for member in members[:4])
    lines.append(Line(text=f"  more: wallprobe explain {ids}", tone=Tone.FAINT))
    return tuple(lines)


def _say_meaning(member: Measurement, members: Sequence[Measurement]) -> str:
    """Return what a member's verdict says; of one that is silent to keys that others take, what follows from that."""
    is_open = member.verdict.rule_id in _UNPROVEN and bool(member.target.key_tag)
    if is_open and any(_takes_keys_of(member, other) for other in members):
        return SAME_KEYS
    return member.verdict.summary


def _takes_keys_of(member: Measurement, other: Measurement) -> bool:
    """Tell whether another endpoint has shown that it takes this one's keys: a greeting alone needs none."""
    one, two = member.target, other.target
    same = one.key_tag == two.key_tag and one.params.get("protocol") == two.params.get("protocol")
    return same and other.verdict.status.reachable and other.verdict.depth.rank >= Depth.PROOF.rank


def name_members(members: Sequence[Measurement]) -> dict[str, Verdict]:
    """Return the verdicts by what a reader calls the endpoints; two at one place, of two users, stay two."""
    named: dict[str, Verdict] = {}
    for member in members:
        place = member.target.place
        named[f"{place} ({len(named) + 1})" if place in named else place] = member.verdict
    return named


def _endpoint_lines(place: str, member: Measurement) -> list[Line]:
    texts = list(dict.fromkeys(_ladders(member))) or ["nothing was asked"]
    word = "" if member.verdict.status.reachable else f"   {' '.join(member.verdict.patterns[:1])}"
    return [
        Line(text=f"  {place}  {text}{word}".rstrip(), tone=Tone.BAD if "✗" in text else Tone.PLAIN) for text in texts
    ]


def _ladders(member: Measurement) -> list[str]:
    """Return a ladder for each address that was spoken with, and for what broke below the conversation."""
    own = own_steps(member)
    texts = [
        f"resolve ✗ {say_failure(o.failure)}" for o in own if isinstance(o, DNSLookup) and o.failure is not None
    ]  # fmt: skip
    for observation in own:
        match observation:
            case TCPConnect(failure=failure) if failure is not None:
                texts.append(f"reach ✗ {say_failure(failure)}")
            case TLSHandshake(failure=failure) if failure is not None:
                texts.append(f"reach ✓, hello ✗ TLS {say_failure(failure)}")
            case DialogueExchange():
                below = next(
                    (o for o in own if isinstance(o, TCPConnect) and o.endpoint == observation.endpoint), None
                )  # fmt: skip
                reached = f"reach ✓ {render_duration(below.t_s - below.t0_s)}, " if below is not None else ""
                texts.append(reached + write_stages(observation))
            case _:
                pass
    return texts
