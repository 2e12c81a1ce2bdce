"""Golden stories about pages that come slowly, or stop on the way."""

from typing import Any

from probe.model.endpoint import Endpoint
from probe.model.experiment import Design, Experiment, NameKind, Place, Step
from probe.model.observation import BytesAt
from tests.golden.controls import judged
from tests.golden.story import Half, golden, half
from tests.unit.classify.cases import NEUTRAL, OWN, Story

SPOT = Endpoint(address=OWN, port=443)
SLOW, FAST = 17_000.0, 900_000.0
FREEZES_AT = 19_500
ECHO = "77.88.1.1"


def at_rate(story: Story, rate: float, size: int = 51_000, experiment: Experiment | None = None, **more: Any) -> Story:
    """Tell of a page of which so many bytes came at this rate."""
    begins_s = story.now_s + 0.05
    took_s = size / rate
    story.http(
        body_bytes=size,
        experiment=experiment,
        first_byte_s=begins_s,
        timeline=tuple(BytesAt(t_s=begins_s + took_s * n / 4, body_bytes=size * n // 4) for n in range(1, 5)),
        **more,
    )
    last = story.observations[-1]
    story.observations[-1] = type(last)(
        **{f: getattr(last, f) for f in last.__struct_fields__} | {"t_s": begins_s + took_s}
    )
    story.now_s = begins_s + took_s
    return story


def run(story: Story, kind: NameKind, number: int, step: Step = Step.FETCH, **more: Any) -> Experiment:
    """Plan one run of the volume design."""
    where = {"endpoint": SPOT} if step is Step.FETCH else {"place": Place.UNRELATED}
    planned = story.experiment(Design.VOLUME, step, kind, number, **where, **more)
    if step is Step.NEUTRAL_PAGE:
        story.experiments[-1] = planned = Experiment(
            **{f: getattr(planned, f) for f in planned.__struct_fields__} | {"id": f"volume.line.{NEUTRAL}.{number}"}
        )
    story.tcp(experiment=planned).tls(experiment=planned)
    return planned


def paired(test: float, twin: float, times: int = 5) -> Story:
    """Tell of a page that came at a rate, and of runs in turn with the same page under another name."""
    story = at_rate(Story().dns(OWN).tcp().tls(), test)
    for number in range(1, times + 1):
        at_rate(story, twin, 262_144, run(story, NameKind.NEUTRAL, number))
        at_rate(story, test, experiment=run(story, NameKind.TEST, number))
    return story


def beside(test: float, line: float) -> Story:
    """Tell of a slow page, whatever name is sent, and of neutral sites' pages."""
    story = at_rate(Story().dns(OWN).tcp().tls(), test)
    for number in range(1, 4):
        at_rate(story, test, experiment=run(story, NameKind.TEST, number))
        at_rate(story, line, 100_000, run(story, NameKind.NEUTRAL, number, Step.NEUTRAL_PAGE))
    return story


def outside(rate: float) -> Story:
    """Tell of a control that gets the page at this rate."""
    return at_rate(Story().dns(OWN).tcp().tls(), rate, 64_000)


def frozen(twin: str = "", *counts: int, line: bool = False) -> Story:
    """Tell of a page that stops after so many bytes, and of the same page under another name, if that was tried."""
    story = Story().dns(OWN).tcp().tls().http("stalled", body_bytes=FREEZES_AT)
    for number, count in enumerate(counts or (FREEZES_AT,) * 5, 1):
        if twin:
            neutral = run(story, NameKind.NEUTRAL, number)
            story.http("ok" if twin == "ok" else "stalled", body_bytes=262_144 if twin == "ok" else FREEZES_AT,
                       experiment=neutral)  # fmt: skip
        story.http("stalled", body_bytes=count, experiment=run(story, NameKind.TEST, number))
        if line:
            story.http(body_bytes=100_000, experiment=run(story, NameKind.NEUTRAL, number, Step.NEUTRAL_PAGE))
    return story


def echoed(story: Story, rate: float, ports: int = 5, stops_at: int = 0, **more: Any) -> Story:
    """Tell of flows from a control's echo ports: under a neutral name each comes whole, under this one as said."""
    for port in range(20000, 20000 + ports):
        for kind in (NameKind.NEUTRAL, NameKind.TEST):
            where = {"endpoint": Endpoint(address=ECHO, port=port), "place": Place.UNRELATED}
            planned = story.experiment(Design.FLOW, Step.FETCH, kind, port - 19999, **where)
            story.tcp(address=ECHO, port=port, experiment=planned)
            story.tls(address=ECHO, port=port, experiment=planned)
            there = {"address": ECHO, "port": port}
            if kind is NameKind.NEUTRAL:
                at_rate(
                    story, FAST, 131_072, planned, **there, **({"segments": 90, "early_segments": 0} if more else {})
                )
            elif stops_at:
                story.http("stalled", body_bytes=stops_at, experiment=planned, **there)
            else:
                at_rate(story, rate, 45_000, planned, **there, **more)
    return story


def alone(rate: float = SLOW) -> Story:
    """Tell of a page that is slow each time, and of a server that serves no other name."""
    story = at_rate(Story().dns(OWN).tcp().tls(), rate)
    for number in range(1, 4):
        at_rate(story, rate, experiment=run(story, NameKind.TEST, number))
    return story


@golden("flow.throttle.anywhere")
def throttled_anywhere() -> tuple[Half, Half]:
    return (
        half(
            echoed(alone(), SLOW).case(),
            "degraded network C2",
            "A control sends 900 kB/s under a neutral name and 17 kB/s under this one, from five ports.",
        ),
        half(echoed(alone(), FAST).case(), "ok none C2", "The control's flows are fast under this name as well."),
    )


@golden("flow.throttle.policed")
def policed() -> tuple[Half, Half]:
    holes = {"segments": 40, "early_segments": 5}
    return (
        half(
            echoed(alone(), SLOW, **holes).case(),
            "degraded network C2",
            "An eighth of the slow flows' segments came behind a hole, and none of the others'.",
        ),
        half(
            echoed(alone(), SLOW, segments=40, early_segments=0).case(),
            "degraded network C2",
            "Slow in order: what comes too fast is delayed.",
        ),
    )


@golden("flow.freeze.anywhere")
def frozen_anywhere() -> tuple[Half, Half]:
    return (
        half(
            echoed(frozen(), SLOW, stops_at=FREEZES_AT).case(),
            "likely_blocked network C2",
            "What a control sends under this name stops after 19.5 KB too, five times, and nothing else does.",
        ),
        half(
            echoed(frozen(), SLOW, ports=2, stops_at=FREEZES_AT).case(),
            "impaired unknown C1",
            "Two flows from elsewhere are too few.",
        ),
    )


@golden("flow.throttle.same_page_fast")
def throttled() -> tuple[Half, Half]:
    return (
        half(
            paired(SLOW, FAST).case(),
            "degraded network C2",
            "17 kB/s five times, and 900 kB/s in between from the same server with another name in the hello.",
        ),
        half(paired(SLOW, 2 * SLOW).case(), "ok none C2", "Twice as fast only: a busy server varies as much."),
    )


@golden("flow.throttle.control_fast")
def throttled_here() -> tuple[Half, Half]:
    return (
        half(
            judged(beside(SLOW, FAST), outside(FAST)),
            "degraded network C2",
            "Slow for us whatever name is sent, fast for a control, twice; other sites' pages come fast here.",
        ),
        half(
            judged(beside(SLOW, SLOW * 2), outside(FAST)),
            "ok none C2",
            "Other sites' pages come slowly here as well: it is the line.",
        ),
    )


@golden("flow.slow.line_fast")
def slow() -> tuple[Half, Half]:
    return (
        half(
            beside(SLOW, FAST).case(),
            "degraded unknown C1",
            "Slow here, other sites fast: the server's limit or the network's.",
        ),
        half(beside(SLOW, SLOW).case(), "ok none C2", "Everything is slow here."),
    )


@golden("flow.slow.server")
def slow_server() -> tuple[Half, Half]:
    return (
        half(judged(beside(SLOW, FAST), outside(SLOW)), "ok none C1", "A control gets the page as slowly."),
        half(judged(beside(SLOW, FAST), outside(FAST)), "degraded network C2", "A control gets it fast."),
    )


@golden("flow.slow.seen")
def still_coming() -> tuple[Half, Half]:
    return (
        half(
            Story().dns(OWN).tcp().tls().http("dripping", body_bytes=90_000).case(),
            "degraded unknown C1",
            "The page was still coming when time was over.",
        ),
        half(
            Story().dns(OWN).tcp().tls().http("dripping", body_bytes=3_000).case(),
            "insufficient unknown C0",
            "Next to nothing of it came.",
        ),
    )


@golden("flow.freeze.same_page_passes")
def freeze_by_name() -> tuple[Half, Half]:
    return (
        half(
            frozen("ok").case(),
            "likely_blocked network C2",
            "Stops at 19.5 KB six times; under another name the same page goes on, five times.",
        ),
        half(frozen("stalled").case(), "impaired unknown C1", "It stops under another name as well."),
    )


@golden("flow.freeze.control_whole")
def freeze_by_address() -> tuple[Half, Half]:
    return (
        half(
            judged(frozen(line=True), outside(FAST)),
            "likely_blocked network C2",
            "A control gets past 19.5 KB, and so do we at other sites.",
        ),
        half(
            judged(frozen(), outside(FAST)),
            "impaired unknown C1",
            "Whether other sites' pages come past that here was not tried.",
        ),
    )


@golden("flow.freeze.alike")
def freeze_seen() -> tuple[Half, Half]:
    return (
        half(frozen().case(), "impaired unknown C1", "Stops after the same number of bytes each time."),
        half(frozen("", 60_000, 3_000, 150_000).case(), "impaired unknown C1", "It stops anywhere: no limit in bytes."),
    )
