"""Golden stories about where on the way packets end."""

from probe.model.endpoint import Endpoint
from probe.model.experiment import Design, NameKind, Place, Step
from probe.model.path_trace import HopAnswer, HopSeen, PathTrace, TraceKind
from tests.golden.story import Half, golden, half
from tests.unit.classify.cases import OWN, Story

BESIDE = "45.90.1.0"
TARGET_AS = 64520
TRANSIT_AS = 64510
TTLS = (2, 3, 4, 5, 6, 7)
ENDS_AT = 3
SEEN = {"silent": HopAnswer.SILENT, "refused": HopAnswer.RESET, "unreachable": HopAnswer.FORBIDDEN}


def trace(
    story: Story,
    kind: NameKind,
    sent: TraceKind,
    meets: HopAnswer,
    *,
    number: int = 1,
    asn: int = TRANSIT_AS,
    routers: str = "62.115.44",
    ttls: tuple[int, ...] = TTLS,
    ends_at: int = ENDS_AT,
) -> Story:
    """Send packets of which those from one hop on, the third, meet this; expired ones name their router."""
    port = story.target.port
    spot = Endpoint(address=OWN, port=port)
    there = spot if kind is NameKind.TEST or sent is not TraceKind.SYN else Endpoint(address=BESIDE, port=port)
    step = Step.TRACE_SYN if sent is TraceKind.SYN else Step.TRACE_NAME
    planned = story.experiment(
        Design.TRACE, step, kind, number, endpoint=there, about=str(spot), ttls=ttls, place=Place.UNRELATED,
        path=f"/{sent.value}",
    )  # fmt: skip
    hops = []
    for ttl in ttls:
        answer = meets if ttl >= ends_at else HopAnswer.EXPIRED
        named = answer in (HopAnswer.EXPIRED, HopAnswer.FORBIDDEN) and sent is TraceKind.SYN
        hops.append(
            HopSeen(ttl=ttl, answer=answer, router=f"{routers}.{ttl}" if named else "", asn=asn if named else 0)
        )
    base = story._base(planned, 0)
    story.observations.append(
        PathTrace(
            **base, endpoint=there, kind=sent, server_name=planned.name, hops=tuple(hops), asn=TARGET_AS if asn else 0
        )
    )
    return story


def unreached(
    outcome: str, *, other_port: str = "", asn: int = TRANSIT_AS, routers: str = "62.115.44", controls: int = 6
) -> Story:
    """Tell of a connect that failed twice, and of SYNs to it and to a neighbour."""
    story = Story().dns(OWN).tcp(outcome).once_more(Step.CONNECT, outcome)
    if other_port:
        there = Endpoint(address=OWN, port=80)
        about = str(Endpoint(address=OWN, port=443))
        planned = story.experiment(
            Design.PORTS, Step.CONNECT, NameKind.NONE, 1, endpoint=there, place=Place.UNRELATED, about=about
        )
        story.tcp(other_port, port=80, experiment=planned)
    trace(story, NameKind.TEST, TraceKind.SYN, SEEN[outcome], asn=asn, routers=routers)
    return trace(
        story, NameKind.NEUTRAL, TraceKind.SYN, HopAnswer.EXPIRED, asn=asn, routers=routers, ttls=TTLS[:controls]
    )


def _register(pattern: str, outcome: str, other_port: str) -> None:
    @golden(f"{pattern}.located")
    def located() -> tuple[Half, Half]:
        return (
            half(
                unreached(outcome, other_port=other_port).case(),
                "blocked network C3",
                "Packets end at hop 3 of a transit network, those to a neighbour pass there, five and more of each.",
            ),
            half(
                unreached(outcome, other_port=other_port, asn=0).case(),
                "impaired unknown C1",
                "The same without AS data: nobody knows whose the hop is.",
            ),
        )

    @golden(f"{pattern}.traced")
    def traced() -> tuple[Half, Half]:
        return (
            half(
                unreached(outcome, other_port=other_port, asn=0).case(),
                "impaired unknown C1",
                "Packets end on the way where a neighbour's pass, and whose device does it is not known.",
            ),
            half(
                unreached(outcome, other_port=other_port, asn=0, controls=4).case(),
                "impaired unknown C1",
                "The neighbour's packets were seen to pass three times only: too few to say anything.",
            ),
        )


_register("ip.unreachable", "unreachable", "")
_register("ip.port_drop", "silent", "ok")
_register("ip.drop", "silent", "silent")
_register("ip", "silent", "")


@golden("local.firewall.located")
def local_firewall() -> tuple[Half, Half]:
    return (
        half(
            unreached("silent", asn=0, routers="192.168.1").case(),
            "impaired local C2",
            "Packets to this address end at a router with a private address.",
        ),
        half(unreached("silent", asn=0).case(), "impaired unknown C1", "The router has a public address."),
    )


@golden("tcp.rst_syn.injected")
def reset_to_syn() -> tuple[Half, Half]:
    return (
        half(
            unreached("refused").case(), "blocked network C3", "SYNs that die in a transit network are answered by RST."
        ),
        half(unreached("refused", asn=0).case(), "impaired unknown C1", "Whose the hop is, is not known."),
    )


def _register_name(rule: str, outcome: str, meets: HopAnswer, *, secure: bool) -> None:
    sent = TraceKind.HELLO if secure else TraceKind.REQUEST

    def tell(asn: int) -> Story:
        story = Story(secure=secure, port=443 if secure else 80).dns(OWN).tcp()
        story = story.tls(outcome) if secure else story.http(outcome)
        for number in range(1, 6):
            story.pair(number, outcome if number < 5 else "", "ok", design=Design.SNI if secure else Design.HOST)
        trace(story, NameKind.TEST, sent, meets, ttls=(2, 3, 6), asn=asn)
        trace(story, NameKind.NEUTRAL, sent, HopAnswer.EXPIRED, ttls=(2, 3, 6), asn=asn)
        return trace(story, NameKind.TEST, TraceKind.SYN, HopAnswer.EXPIRED, number=2, ttls=(3, 6), asn=asn)

    @golden(rule)
    def injected() -> tuple[Half, Half]:
        return (
            half(tell(TRANSIT_AS).case(), "blocked network C3", "The name is answered where it cannot have arrived."),
            half(tell(0).case(), "likely_blocked network C2", "The same without AS data: the names alone speak."),
        )


_register_name("tls.reset.sni.injected", "reset", HopAnswer.RESET, secure=True)
_register_name("tls.fin.sni.injected", "fin", HopAnswer.FIN, secure=True)
_register_name("http.reset.host.injected", "reset", HopAnswer.RESET, secure=False)
_register_name("http.fin.host.injected", "fin", HopAnswer.FIN, secure=False)
