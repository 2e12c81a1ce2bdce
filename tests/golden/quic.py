"""Golden stories about QUIC: an h3 target whose handshake is silent, refused, or not believed."""

from typing import Any

from probe.model.endpoint import Endpoint
from probe.model.experiment import Design, Experiment, HelloShape, NameKind, Place, Step
from probe.model.failure import Failure, FailureCode, IcmpError, Stage
from probe.model.observation import QUICHandshake, QUICStage
from probe.model.target import CheckName
from tests.golden.story import Half, golden, half
from tests.unit.classify.cases import NAME, OWN, Story
from tests.unit.classify.outside import rounds

CODES = {
    "silent": FailureCode.TIMEOUT,
    "refused": FailureCode.CONNECTION_REFUSED,
    "closed": FailureCode.QUIC_CLOSED,
    "untrusted": FailureCode.SSL_UNKNOWN_AUTHORITY,
    "instrument": FailureCode.PERMISSION_DENIED,
}
CONTROL = "77.88.1.1"
OFFER = (("alt-svc", 'h3=":443"; ma=86400'),)


class H3Story(Story):
    """Tells of an h3 target."""

    def __init__(self) -> None:
        super().__init__(check=CheckName.H3, address=f"h3://{NAME}")

    def quic(
        self,
        outcome: str = "ok",
        address: str = OWN,
        experiment: Experiment | None = None,
        icmp: IcmpError | None = None,
        ping: bool = False,
        port: int = 443,
    ) -> "H3Story":
        base: dict[str, Any] = self._base(experiment, 0)
        failure = Failure(stage=Stage.QUIC, code=CODES[outcome], icmp=icmp) if outcome in CODES else None
        good = QUICStage.VERSIONS if ping else QUICStage.DONE
        self.observations.append(
            QUICHandshake(
                **base,
                endpoint=Endpoint(address=address, port=port),
                server_name="" if ping else experiment.name if experiment else NAME,
                stage=good if failure is None else QUICStage.NOTHING,
                ping=ping,
                verified=failure is None and experiment is None,
                datagrams_received=0 if outcome == "silent" else 2,
                failure=failure,
            )
        )
        return self

    def try_quic(self, kind: NameKind, number: int, outcome: str) -> "H3Story":
        where = {"endpoint": Endpoint(address=OWN, port=443)}
        step = Step.QUIC_PING if kind is NameKind.NONE else Step.QUIC
        planned = self.experiment(Design.HTTP3, step, kind, number, **where)
        return self.quic(outcome, experiment=planned, ping=kind is NameKind.NONE)

    def try_low(self, number: int, outcome: str) -> "H3Story":
        where = {"endpoint": Endpoint(address=OWN, port=443), "low_port": True}
        return self.quic(
            outcome, experiment=self.experiment(Design.SOURCE_PORT, Step.QUIC, NameKind.TEST, number, **where)
        )

    def try_large(self, number: int, outcome: str) -> "H3Story":
        where = {"endpoint": Endpoint(address=OWN, port=443), "shape": HelloShape.BROWSER}
        return self.quic(outcome, experiment=self.experiment(Design.INITIAL, Step.QUIC, NameKind.TEST, number, **where))

    def cross(self, ports: int, neutral: str = "ok", test: str = "silent") -> "H3Story":
        for port in range(20000, 20000 + ports):
            for kind, outcome in ((NameKind.NEUTRAL, neutral), (NameKind.TEST, test)):
                there = {"endpoint": Endpoint(address=CONTROL, port=port), "place": Place.UNRELATED}
                planned = self.experiment(Design.CROSS, Step.QUIC, kind, 1, **there)
                self.quic(outcome, address=CONTROL, experiment=planned, port=port)
        return self

    def anchors(self, outcome: str, *addresses: str) -> "H3Story":
        for number, address in enumerate(addresses, start=1):
            planned = self.experiment(
                Design.HTTP3, Step.QUIC_ANCHOR, NameKind.NEUTRAL, 50 + number, place=Place.UNRELATED
            )
            self.quic(outcome, address=address, experiment=planned, ping=True)
        return self

    def offers(self) -> "H3Story":
        where = {"endpoint": Endpoint(address=OWN, port=443), "secure": True}
        planned = self.experiment(Design.HTTP3, Step.FETCH, NameKind.TEST, 90, **where)
        self.tcp(experiment=planned).tls(experiment=planned, verified=True)
        self.http(experiment=planned, headers=OFFER, secure=True)
        return self


def failing(outcome: str = "silent", icmp: IcmpError | None = None) -> H3Story:
    story = H3Story()
    story.dns(OWN)
    story.quic(outcome, icmp=icmp)
    where = {"endpoint": Endpoint(address=OWN, port=443)}
    again = story.experiment(Design.HTTP3, Step.QUIC, NameKind.TEST, 2, **where)
    return story.quic(outcome, experiment=again, icmp=icmp)


def paired(control: str) -> H3Story:
    story = H3Story()
    story.dns(OWN)
    story.quic("silent")
    for number in range(1, 6):
        story.try_quic(NameKind.NEUTRAL, number, control)
        if number < 5:
            story.try_quic(NameKind.TEST, number + 1, "silent")
    return story


@golden("local.firewall.quic")
def own_firewall() -> tuple[Half, Half]:
    ours, theirs = (IcmpError(type=3, code=13, offender=who) for who in ("192.168.1.1", "5.62.9.9"))
    return (
        half(failing("refused", ours).case(), "impaired local C1", "Our own gateway forbids QUIC."),
        half(failing("refused", theirs).case(), "impaired unknown C1", "A router further on forbids it."),
    )


@golden("srv.filtered.quic")
def no_quic_there() -> tuple[Half, Half]:
    itself = IcmpError(type=3, code=3, offender=OWN)
    return (
        half(failing("refused", itself).case(), "server_side server C1", "The host says that the port is closed."),
        half(failing("refused").case(), "impaired unknown C1", "Nobody says who refuses."),
    )


@golden("quic.timeout.sni.neutral_ok")
def by_name() -> tuple[Half, Half]:
    return (
        half(paired("ok").case(), "likely_blocked network C2", "Silent with the name five times, never without it."),
        half(paired("silent").case(), "insufficient unknown C0", "Silent with a neutral name too."),
    )


def with_low(low: str, times: int, control: str = "silent") -> H3Story:
    story = H3Story()
    story.dns(OWN)
    story.quic("silent").try_quic(NameKind.NEUTRAL, 1, control).try_low(1, low)
    for number in range(2, times + 1):
        story.try_quic(NameKind.TEST, number, "silent").try_low(number, low)
    return story


@golden("quic.timeout.sni.anywhere")
def crossed() -> tuple[Half, Half]:
    stuck = failing().try_quic(NameKind.NEUTRAL, 1, "silent")
    nearly = failing().try_quic(NameKind.NEUTRAL, 1, "silent")
    return (
        half(
            stuck.cross(5).case(),
            "likely_blocked network C2",
            "At five echo ports of a control the name is silent and a neutral one passes; at home both are silent.",
        ),
        half(nearly.cross(4).case(), "insufficient unknown C0", "Four ports are too few."),
    )


@golden("quic.silent.low_port_passes")
def from_low_ports() -> tuple[Half, Half]:
    return (
        half(
            with_low("ok", 5).case(),
            "likely_blocked network C2",
            "Silent five times, and in between it passed five times from source ports that are not above 443.",
        ),
        half(with_low("silent", 2).case(), "insufficient unknown C0", "From low source ports it is silent as well."),
    )


def with_large(large: str, times: int, control: str) -> H3Story:
    story = H3Story()
    story.dns(OWN)
    story.quic("silent").try_quic(NameKind.NEUTRAL, 1, control).try_large(1, large)
    for number in range(2, times + 1):
        story.try_quic(NameKind.TEST, number, "silent").try_large(number, large)
    return story


@golden("quic.timeout.sni.large_passes")
def name_in_one_datagram() -> tuple[Half, Half]:
    return (
        half(
            with_large("ok", 5, "ok").case(),
            "degraded network C2",
            "Silent five times with the name in one datagram, passed five times with a hello that takes two.",
        ),
        half(with_large("silent", 2, "ok").case(), "impaired unknown C1", "A large hello is silent as well."),
    )


@golden("quic.silent.large_passes")
def whatever_name_in_one_datagram() -> tuple[Half, Half]:
    return (
        half(
            with_large("ok", 5, "silent").case(),
            "degraded unknown C2",
            "Whatever name is in one datagram is silent, a hello that takes two passes: a server may do that too.",
        ),
        half(with_large("ok", 4, "silent").case(), "insufficient unknown C0", "Four times is too few."),
    )


@golden("quic.silent.control_ok")
def outside() -> tuple[Half, Half]:
    view = H3Story()
    view.dns(OWN)
    view.quic("ok")
    return (
        half(
            failing().offers().anchors("ok", "9.9.1.1").case(controls=rounds(view)),
            "likely_blocked network C2",
            "A control shakes hands by QUIC at this address, twice; to us it is silent, while QUIC elsewhere passes.",
        ),
        half(
            failing().offers().anchors("silent", "9.9.1.1").case(controls=rounds(view)),
            "impaired unknown C1",
            "No QUIC passes here at all: that may be a box of one's own.",
        ),
    )


@golden("quic.all.anchors_too")
def everywhere() -> tuple[Half, Half]:
    return (
        half(
            failing().try_quic(NameKind.NONE, 1, "silent").anchors("silent", "9.9.1.1", "9.9.2.2").case(),
            "impaired unknown C1",
            "Two neutral places that offer HTTP/3 are silent too; whose doing it is, is not known.",
        ),
        half(
            failing().try_quic(NameKind.NONE, 1, "silent").anchors("silent", "9.9.1.1").case(),
            "insufficient unknown C0",
            "One silent place is too few.",
        ),
    )


@golden("quic.endpoint.anchors_ok")
def address() -> tuple[Half, Half]:
    return (
        half(
            failing().offers().try_quic(NameKind.NONE, 1, "silent").anchors("ok", "9.9.1.1").case(),
            "impaired unknown C1",
            "The site offers HTTP/3 and is silent by QUIC; a neutral place answers.",
        ),
        half(
            failing().try_quic(NameKind.NONE, 1, "silent").anchors("ok", "9.9.1.1").case(),
            "insufficient unknown C0",
            "It never offered HTTP/3: silence is what a server without it sends.",
        ),
    )


@golden("quic.unproven.silent")
def unproven() -> tuple[Half, Half]:
    return (
        half(
            failing().try_quic(NameKind.NONE, 1, "silent").case(),
            "insufficient unknown C0",
            "Silent, no versions, no offer: never called blocked.",
        ),
        half(failing().offers().case(), "impaired unknown C1", "Silent, though the site offers HTTP/3."),
    )


@golden("quic.silent.seen")
def silent() -> tuple[Half, Half]:
    good = H3Story()
    good.dns(OWN)
    good.quic("silent").try_quic(NameKind.TEST, 2, "ok")
    return (
        half(failing().offers().case(), "impaired unknown C1", "Silent twice, with nothing to compare."),
        half(failing("closed").case(), "impaired unknown C1", "Closed by the peer, which is no silence."),
    )


@golden("quic.untrusted.seen")
def untrusted() -> tuple[Half, Half]:
    return (
        half(failing("untrusted").case(), "impaired unknown C1", "A certificate that does not prove the site."),
        half(failing("closed").case(), "impaired unknown C1", "No certificate came."),
    )


@golden("quic.broken.seen")
def broken() -> tuple[Half, Half]:
    return (
        half(failing("closed").case(), "impaired unknown C1", "The peer closes the connection."),
        half(failing().offers().case(), "impaired unknown C1", "Silence has rules of its own."),
    )
