"""Golden stories about what tunnels carry once they are up: frozen, slowed down, or as much as they can."""

import msgspec

from probe.classify.case import Case
from probe.model.depth import Depth
from probe.model.endpoint import Endpoint
from probe.model.experiment import Design, Experiment, NameKind, Place, Step
from probe.model.failure import Failure, FailureCode, Stage
from probe.model.observation import BytesAt, DialogueExchange, Ending, StageReached
from probe.model.proof import Proof, ProofSource
from tests.golden.flows import FAST, at_rate
from tests.golden.story import Half, golden, half
from tests.golden.tunnel_proofs import REFERENCE, Tunnel
from tests.unit.classify.cases import FIT, NEUTRAL, OWN

HERE = Endpoint(address=OWN, port=1194)
THERE = Endpoint(address=REFERENCE, port=1194)
VOLUME_BYTES, FREEZES_AT = 70_000, 16_400
SLOW, HEALTHY = 9_000.0, 300_000.0
FROZEN, TARDY, WHOLE = "frozen", "tardy", "whole"
EARLIER = (Proof(source=ProofSource.HISTORY, age_s=86400.0, carriers=(str(THERE),), measurement="01"),)


def elsewhere(
    rate: float = HEALTHY, carried: int = VOLUME_BYTES, ages_s: tuple[float, ...] = (20.0, 80.0)
) -> tuple[Proof, ...]:
    """Tell that the tunnel carried its volume from another network, so fast."""
    return tuple(
        Proof(source=ProofSource.HISTORY, age_s=s, elsewhere=True, carried_bytes=carried, rate=rate, measurement=f"{s}")
        for s in ages_s
    )


class Flowing(Tunnel):
    """Tells of runs that were asked to carry a volume."""

    def carried(self, size: int, rate: float, end: str = WHOLE, experiment: Experiment | None = None) -> "Flowing":
        """One run: frozen after so many bytes, whole, or tardy: unfinished when time was over."""
        base = self._base(experiment, 0)
        began_s = base["t0_s"] + 0.1
        took_s = size / rate
        samples = tuple(BytesAt(t_s=began_s + took_s * n / 8, body_bytes=size * n // 8) for n in range(1, 9))
        over_s = began_s + took_s + (10.0 if end == FROZEN else 0.2 if end == TARDY else 0.0)
        whole = end == WHOLE
        stages = (StageReached(depth=Depth.PROOF, t_s=base["t0_s"] + 0.05), StageReached(depth=Depth.DATA, t_s=began_s))
        self.observations.append(
            DialogueExchange(
                **base | {"t_s": over_s}, endpoint=THERE if experiment and experiment.about else HERE,
                protocol="openvpn", transport=self.transport, depth=Depth.VOLUME if whole else Depth.DATA,
                stages=stages, timeline=samples, bytes_received=size, ending=None if whole else Ending.SILENCE,
                failure=None if whole else Failure(stage=Stage.DIALOGUE, code=FailureCode.TIMEOUT),
            )
        )  # fmt: skip
        self.now_s = over_s
        return self

    def runs(self, *sizes: int, rate: float = HEALTHY, end: str = WHOLE) -> "Flowing":
        """The check's own run, and repeats of it."""
        if self.transport == "tcp":
            self.tcp()
        self.carried(sizes[0], rate, end)
        for number, size in enumerate(sizes[1:], 1):
            again = self.experiment(Design.REPEAT, Step.CONVERSE, NameKind.TEST, number, endpoint=HERE)
            self.wait(60.0).carried(size, rate, end, again)
        return self

    def pairs(
        self, size: int, rate: float = HEALTHY, end: str = WHOLE, page: float = FAST, times: int = 5
    ) -> "Flowing":
        """Pages from the reference's port, and in turn with them its tunnel."""
        for number in range(1, times + 1):
            self.pair(number, size, rate, end, page)
        return self

    def pair(self, number: int, size: int, rate: float, end: str, page: float = FAST) -> "Flowing":
        """One page, and one run after it."""
        planned = self._flow(Step.FETCH, NameKind.NEUTRAL, number)
        self.tcp(address=REFERENCE, experiment=planned)
        at_rate(self, page, 262_144, planned, address=REFERENCE, secure=False)
        return self.carried(size, rate, end, self._flow(Step.CONVERSE, NameKind.TEST, number))

    def line(self, rate: float = FAST, times: int = 3) -> "Flowing":
        """Neutral sites' pages."""
        for number in range(1, times + 1):
            planned = self.experiment(
                Design.VOLUME, Step.NEUTRAL_PAGE, NameKind.NEUTRAL, number, place=Place.UNRELATED, about=str(HERE)
            )
            self.experiments[-1] = planned = msgspec.structs.replace(planned, id=f"volume.line.{NEUTRAL}.{number}")
            self.tcp(address="45.90.1.1", experiment=planned).tls(address="45.90.1.1", experiment=planned)
            at_rate(self, rate, 100_000, planned, address="45.90.1.1")
        return self

    def _flow(self, step: Step, kind: NameKind, number: int) -> Experiment:
        return self.experiment(
            Design.VOLUME, step, kind, number, endpoint=THERE, place=Place.UNRELATED, about=str(HERE)
        )  # fmt: skip


def known(story: Tunnel, proofs: tuple[Proof, ...] = ()) -> Case:
    return story.case(proofs=proofs, baseline=FIT)


@golden("flow.freeze.reference_too")
def freeze_of_a_protocol() -> tuple[Half, Half]:
    def story(at: int) -> Flowing:
        return Flowing().runs(FREEZES_AT, end=FROZEN).line().pairs(at, end=FROZEN)

    return (
        half(
            known(story(FREEZES_AT), EARLIER),
            "likely_blocked network C2",
            "It stops after 16 KB, a reference's tunnel five times too; pages from the reference's port go on.",
        ),
        half(
            known(story(FREEZES_AT)),
            "insufficient unknown C0",
            "Nobody ever saw this reference carry a volume: it may be its own limit.",
        ),
    )


@golden("flow.freeze.elsewhere_whole")
def freeze_here_alone() -> tuple[Half, Half]:
    def case(*sizes: int) -> Case:
        return known(Flowing().runs(*sizes, end=FROZEN).line(), elsewhere())

    return (
        half(
            case(16_400, 16_100, 17_900),
            "likely_blocked network C2",
            "Three times it stops after some 16 KB; from another network it carried 70 KB twice in these minutes.",
        ),
        half(
            case(16_400, 34_000, 61_000),
            "likely_blocked network C2",
            "It stops each time elsewhere: it breaks off, and no number of bytes is what does it.",
        ),
    )


@golden("flow.freeze.tunnel_alike")
def freeze_of_unknown_cause() -> tuple[Half, Half]:
    return (
        half(
            known(Flowing().runs(16_400, 16_100, 17_900, end=FROZEN).line()),
            "impaired unknown C1",
            "Three times it stops after some 16 KB: the server may do that, and a filter may.",
        ),
        half(
            known(Flowing().runs(16_400, 16_100, end=FROZEN).line()),
            "insufficient unknown C0",
            "Twice is no pattern.",
        ),
    )


@golden("flow.throttle.reference_too")
def throttle_of_a_protocol() -> tuple[Half, Half]:
    def case(page: float) -> Case:
        return known(Flowing().runs(VOLUME_BYTES, rate=SLOW).line().pairs(VOLUME_BYTES, SLOW, page=page), EARLIER)

    return (
        half(
            case(FAST),
            "degraded network C2",
            "9 KB a second here and with a reference; pages from its very port come a hundred times faster.",
        ),
        half(
            case(2 * SLOW),
            "degraded unknown C1",
            "Pages from the reference's port are nearly as slow: that reference has no more to give.",
        ),
    )


@golden("flow.throttle.elsewhere_fast")
def throttle_here_alone() -> tuple[Half, Half]:
    def case(rate: float) -> Case:
        return known(Flowing().runs(*(VOLUME_BYTES,) * 3, rate=SLOW).line(), elsewhere(rate))

    return (
        half(
            case(HEALTHY),
            "degraded network C2",
            "9 KB a second here, three times; 300 from another network, twice, and other sites come fast here.",
        ),
        half(
            case(2 * SLOW),
            "degraded unknown C1",
            "From another network it is nearly as slow: the server has no more to give.",
        ),
    )


@golden("flow.slow.tunnel_line_fast")
def slow_tunnel() -> tuple[Half, Half]:
    return (
        half(
            known(Flowing().runs(VOLUME_BYTES, rate=SLOW).line()),
            "degraded unknown C1",
            "9 KB a second through the tunnel, and other sites come a hundred times faster.",
        ),
        half(
            known(Flowing().runs(VOLUME_BYTES, rate=SLOW).line(2 * SLOW)),
            "ok none C2",
            "Other sites come as slowly: it is the line.",
        ),
    )


@golden("flow.slow.tunnel_seen")
def slow_tunnel_unfinished() -> tuple[Half, Half]:
    return (
        half(
            known(Flowing().runs(30_000, rate=SLOW, end=TARDY)),
            "degraded unknown C1",
            "Half of it had come when time was over, and more was coming.",
        ),
        half(
            known(Flowing().runs(30_000, rate=SLOW, end=FROZEN)),
            "insufficient unknown C0",
            "Nothing had come for ten seconds when time was over: that is no slowness.",
        ),
    )


def at_echo_ports(
    opaque: FailureCode | None, exempt: FailureCode | None = None, times: int = 5, silences: int = 1
) -> Tunnel:
    """Tell of a Shadowsocks server that is silent, and of bytes at a control's echo ports."""
    story = Tunnel("shadowsocks", "tcp", method="aes-256-gcm").own(FailureCode.TIMEOUT, times=silences)
    for number in range(1, times + 1):
        send_to_port(story, number, NameKind.NEUTRAL, exempt)
        send_to_port(story, number, NameKind.TEST, opaque)
    return story


def send_to_port(story: Tunnel, number: int, kind: NameKind, code: FailureCode | None, turn: int = 0) -> None:
    port = Endpoint(address="45.90.9.10", port=20000 + number)
    planned = story.experiment(
        Design.ENTROPY, Step.SINK, kind, number + turn, endpoint=port, place=Place.UNRELATED, about=str(HERE)
    )
    story.tcp(address=port.address, port=port.port, experiment=planned)
    failure = None if code is None else Failure(stage=Stage.DIALOGUE, code=code)
    story.observations.append(
        DialogueExchange(**story._base(planned, 0), endpoint=port, protocol="sink", transport="tcp", failure=failure)
    )


def now_and_then(
    stopped: int, code: FailureCode = FailureCode.TIMEOUT, *, exempt_lost: int = 0, ports: int = 30
) -> Tunnel:
    """Tell of the same at thirty ports, of which so many were stopped; two exempt ones at all but the first five."""
    story = Tunnel("shadowsocks", "tcp", method="aes-256-gcm").own(FailureCode.TIMEOUT, times=2)
    for number in range(1, ports + 1):
        for turn in range(1 if number <= 5 else 2):
            lost = number <= exempt_lost and turn == 0
            send_to_port(story, number, NameKind.NEUTRAL, FailureCode.TIMEOUT if lost else None, 100 * turn)
        send_to_port(story, number, NameKind.TEST, code if number % 6 < stopped / 5 else None)
    return story


@golden("flow.entropy.exempt_passes")
def entropy() -> tuple[Half, Half]:
    worked = (Proof(source=ProofSource.HISTORY, age_s=86400.0, measurement="01"),)
    return (
        half(
            known(at_echo_ports(FailureCode.TIMEOUT), worked),
            "likely_blocked network C2",
            "Random bytes never arrive at a control's ports, the same with letters in front or fewer bits always do.",
        ),
        half(
            known(at_echo_ports(FailureCode.TIMEOUT, FailureCode.TIMEOUT), worked),
            "insufficient unknown C0",
            "Exempt bytes do not arrive either: the ports are closed to us, whatever is said there.",
        ),
    )


def by_protocol(page: FailureCode | None, unknown: FailureCode | None, times: int = 5, silences: int = 1) -> Tunnel:
    """Tell of a Shadowsocks server that is silent, and at a control's echo ports of exempt bytes, pages and letters."""
    story = at_echo_ports(FailureCode.TIMEOUT, FailureCode.TIMEOUT, times=2, silences=silences)
    for number in range(1, times + 1):
        port = Endpoint(address="45.90.9.10", port=20000 + number)
        where = {"endpoint": port, "place": Place.UNRELATED, "about": str(HERE)}
        planned = story.experiment(Design.PROTOCOL, Step.FETCH, NameKind.NEUTRAL, number, secure=False, **where)
        story.tcp(address=port.address, port=port.port, experiment=planned)
        story.http(
            "ok" if page is None else "silent", address=port.address, port=port.port, secure=False, experiment=planned
        )
        planned = story.experiment(Design.PROTOCOL, Step.SINK, NameKind.TEST, number, **where)
        story.tcp(address=port.address, port=port.port, experiment=planned)
        failure = None if unknown is None else Failure(stage=Stage.DIALOGUE, code=unknown)
        story.observations.append(
            DialogueExchange(
                **story._base(planned, 0), endpoint=port, protocol="sink", transport="tcp", failure=failure
            )
        )
    return story


@golden("flow.protocol_allowlist.page_passes")
def only_known_protocols() -> tuple[Half, Half]:
    worked = (Proof(source=ProofSource.HISTORY, age_s=86400.0, measurement="01"),)
    return (
        half(
            known(by_protocol(None, FailureCode.TIMEOUT), worked),
            "likely_blocked network C2",
            "From five ports of a control a page comes, and bytes of no protocol never arrive there.",
        ),
        half(
            known(by_protocol(FailureCode.TIMEOUT, FailureCode.TIMEOUT), worked),
            "insufficient unknown C0",
            "No page comes either: the ports are closed to us.",
        ),
    )


@golden("flow.protocol_allowlist.elsewhere_ok")
def only_known_protocols_two_ways() -> tuple[Half, Half]:
    return (
        half(
            known(by_protocol(None, FailureCode.TIMEOUT, silences=2), elsewhere()),
            "blocked network C3",
            "Only pages pass at a control's ports, and from another network this very server works: two methods agree.",
        ),
        half(
            known(by_protocol(None, None, silences=2), elsewhere()),
            "likely_blocked network C2",
            "What is no protocol's arrives as well: that it works elsewhere is one method.",
        ),
    )


@golden("flow.entropy.sometimes")
def entropy_now_and_then() -> tuple[Half, Half]:
    worked = (Proof(source=ProofSource.HISTORY, age_s=86400.0, measurement="01"),)
    return (
        half(
            known(now_and_then(5), worked),
            "likely_blocked network C2",
            "Random bytes are lost at five of thirty ports, letters and few bits at none of 55.",
        ),
        half(
            known(now_and_then(5, exempt_lost=1), worked),
            "impaired unknown C1",
            "An exempt one was lost as well: the line may lose so many.",
        ),
    )


@golden("flow.entropy.elsewhere_ok")
def entropy_two_ways() -> tuple[Half, Half]:
    return (
        half(
            known(at_echo_ports(FailureCode.TIMEOUT, silences=2), elsewhere()),
            "blocked network C3",
            "Random bytes are dropped here, and from another network this very server works: two methods agree.",
        ),
        half(
            known(at_echo_ports(FailureCode.TIMEOUT, times=4, silences=2), elsewhere()),
            "likely_blocked network C2",
            "Four of five ports are too few to say what is reacted to; that it works elsewhere is one method.",
        ),
    )
