"""Golden stories about reaching an address and shaking hands there."""

import msgspec

from probe.classify.case import Case
from probe.model.endpoint import Endpoint
from probe.model.experiment import Design, NameKind, Place, Step
from probe.model.failure import IcmpError
from probe.model.target import CheckName
from probe.model.vantage import Vantage
from tests.golden.story import Half, golden, half
from tests.unit.classify.cases import FIT, OTHER, OWN, Story
from tests.unit.classify.cited import cite

V6 = "2a02:2d8:1::1"
FORBIDDEN = IcmpError(type=3, code=13, offender="5.62.9.9")


ACCESS_AS, SITE_AS = 64500, 64510


def failing_connect(outcome: str, icmp: IcmpError | None = None, asn: int = 0) -> Story:
    """Tell of a connect that failed twice in the same way; `asn` is the target's."""
    story = Story().dns(OWN).tcp(outcome, icmp=icmp, asn=asn)
    return story.once_more(Step.CONNECT, outcome, icmp=icmp, asn=asn)


def failing_hello(outcome: str, **more: object) -> Story:
    """Tell of a handshake that failed twice in the same way."""
    return Story().dns(OWN).tcp().tls(outcome, **more).once_more(Step.HANDSHAKE, outcome, **more)


def paired(outcome: str, controls: int = 5, control: str = "ok") -> Story:
    """Tell of the T C T C design, as far as it went."""
    story = Story().dns(OWN).tcp().tls(outcome)
    for number in range(1, controls + 1):
        story.pair(number, outcome if number < controls else "", control)
    return story


@golden("tcp.instrument")
def instrument() -> tuple[Half, Half]:
    alone = Story().dns(OWN).tcp("no_descriptors")
    beside = Story().dns((OWN, OTHER)).tcp("no_descriptors").tcp(address=OTHER).tls(address=OTHER)
    return (
        half(
            alone.case(), "insufficient instrument C0", "This host ran out of descriptors: no finding about the target."
        ),
        half(
            beside.http(address=OTHER).case(),
            "ok none C2",
            "One path could not be tried, the other works: nothing is wrong with the target.",
        ),
    )


@golden("net.ipv6_broken.anchors_too")
def ipv6_broken() -> tuple[Half, Half]:
    def tell() -> Story:
        story = Story(family=6).dns(V6, query_type="AAAA").tcp("silent", address=V6)
        return story.once_more(Step.CONNECT, "silent", address=V6)

    both = msgspec.structs.replace(FIT, families=(4, 6))
    return (
        half(tell().case(), "impaired local C2", "A target fixed to IPv6 is silent, and so is every IPv6 anchor."),
        half(tell().case(baseline=both), "impaired unknown C1", "The same target, but IPv6 anchors answer."),
    )


@golden("local.firewall.icmp")
def local_firewall() -> tuple[Half, Half]:
    ours = IcmpError(type=3, code=13, offender="192.168.1.1")
    return (
        half(failing_connect("unreachable", ours).case(), "impaired local C1", "Our own gateway says: prohibited."),
        half(failing_connect("unreachable", FORBIDDEN).case(), "impaired unknown C1", "A router further on says so."),
    )


@golden("srv.filtered.icmp")
def host_firewall() -> tuple[Half, Half]:
    itself = IcmpError(type=3, code=13, offender=OWN)
    return (
        half(failing_connect("unreachable", itself).case(), "server_side server C1", "The target itself prohibits it."),
        half(failing_connect("unreachable", FORBIDDEN).case(), "impaired unknown C1", "Somebody else says so."),
    )


@golden("ip.unreachable.access_prohibits")
def access_prohibits() -> tuple[Half, Half]:
    def tell(icmp: IcmpError) -> Case:
        return failing_connect("unreachable", icmp, SITE_AS).case(vantage=Vantage(asn=ACCESS_AS))

    return (
        half(
            tell(msgspec.structs.replace(FORBIDDEN, asn=ACCESS_AS)),
            "blocked network C3",
            "A router in our own provider's AS prohibits an address of another network, twice.",
        ),
        half(
            tell(msgspec.structs.replace(FORBIDDEN, asn=SITE_AS)),
            "impaired unknown C1",
            "The router that prohibits stands in the target's own network: its operator may filter.",
        ),
    )


@golden("ip.unreachable.icmp")
def unreachable() -> tuple[Half, Half]:
    return (
        half(
            failing_connect("unreachable", FORBIDDEN).case(),
            "impaired unknown C1",
            "A router on the way prohibits it; whose it is, is not known, so nobody is accused.",
        ),
        half(failing_connect("unreachable").case(), "impaired unknown C1", "Unreachable, and nobody says why."),
    )


@golden("ip.unreachable.seen")
def no_way() -> tuple[Half, Half]:
    return (
        half(failing_connect("unreachable").case(), "impaired unknown C1", "There is no way to the address, twice."),
        half(
            Story().dns(OWN).tcp("unreachable").once_more(Step.CONNECT, "ok").case(),
            "ok none C2",
            "There was none for a moment: the repeat connects.",
        ),
    )


@golden("tcp.rst_syn.seen")
def refused() -> tuple[Half, Half]:
    return (
        half(failing_connect("refused").case(), "impaired unknown C1", "A closed port and a filter look the same."),
        half(
            failing_connect("refused", IcmpError(type=3, code=3, offender=OWN)).case(),
            "server_side server C1",
            "The host says by ICMP that its port is closed.",
        ),
    )


@golden("tcp.rst_synack.seen")
def reset_at_once() -> tuple[Half, Half]:
    return (
        half(
            failing_connect("reset").case(),
            "impaired unknown C1",
            "Reset before anything was sent: no name is to blame.",
        ),
        half(failing_hello("reset").case(), "impaired unknown C1", "Reset only after the hello."),
    )


@golden("ip.port_drop.sibling_port_ok")
def port_drop() -> tuple[Half, Half]:
    def tell(other: str) -> Story:
        story = failing_connect("silent")
        planned = story.experiment(
            Design.PORTS,
            Step.CONNECT,
            NameKind.NONE,
            1,
            endpoint=Endpoint(address=OWN, port=80),
            about=f"{OWN}:443",
            place=Place.UNRELATED,
        )
        return story.tcp(other, port=80, experiment=planned)

    return (
        half(tell("ok").case(), "impaired unknown C1", "Port 443 is silent, port 80 of the host answers."),
        half(tell("silent").case(), "impaired unknown C1", "Both ports are silent."),
    )


@golden("ip.silent")
def silent() -> tuple[Half, Half]:
    return (
        half(
            failing_connect("silent").case(), "impaired unknown C1", "Dead host or dropped route: the same from here."
        ),
        half(Story().dns(OWN).tcp("silent").once_more(Step.CONNECT, "ok").case(), "ok none C2", "Packet loss, once."),
    )


@golden("ip.echo_silent")
def echo_silent() -> tuple[Half, Half]:
    ping = {"check": CheckName.ICMP, "port": 0, "address": "icmp://www.site.example"}
    return (
        half(
            Story(**ping).dns(OWN).echo("silent").once_more(Step.ECHO, "silent").case(),
            "impaired unknown C1",
            "Two echoes are lost: dead, filtered, or silent on purpose.",
        ),
        half(
            Story(**ping).dns(OWN).echo("silent").once_more(Step.ECHO, "ok").case(), "ok none C2", "One echo was lost."
        ),
    )


@golden("ip.echo_unreachable")
def echo_unreachable() -> tuple[Half, Half]:
    ping = {"check": CheckName.ICMP, "port": 0, "address": "icmp://www.site.example"}
    return (
        half(
            Story(**ping).dns(OWN).echo("unreachable").once_more(Step.ECHO, "unreachable").case(),
            "impaired unknown C1",
            "No route to the address, twice.",
        ),
        half(
            Story(**ping).dns(OWN).echo("denied").case(), "insufficient instrument C0", "This host may not send echoes."
        ),
    )


@golden("tcp.rst_synack.idle_too.tls")
def idle_reset() -> tuple[Half, Half]:
    return (
        half(failing_hello("reset").idle("idle_reset").case(), "impaired unknown C1", "Reset though nothing was sent."),
        half(failing_hello("reset").idle("idle_ok").case(), "impaired unknown C1", "Left alone when nothing is sent."),
    )


@golden("tcp.fin.idle_too.tls")
def idle_closed() -> tuple[Half, Half]:
    return (
        half(failing_hello("fin").idle("idle_fin").case(), "impaired unknown C1", "Closed though nothing was sent."),
        half(failing_hello("fin").idle("idle_ok").case(), "impaired unknown C1", "Left alone when nothing is sent."),
    )


def _named(rule: str, outcome: str, what: str) -> None:
    @golden(rule)
    def tell() -> tuple[Half, Half]:
        return (
            half(
                paired(outcome).case(),
                "likely_blocked network C2",
                f"{what} with the name five times, never without it.",
            ),
            half(
                paired(outcome, control=outcome).case(),
                "impaired unknown C1",
                f"{what} with a neutral name as well: the name is not the trigger, or the place is hot.",
            ),
        )


_named("tls.reset.sni.neutral_ok", "reset", "Reset")
_named("tls.fin.sni.neutral_ok", "fin", "Closed")
_named("tls.timeout.sni.neutral_ok", "silent", "Silence")


@golden("tls.reset.endpoint.cold_neutral_too")
def any_name() -> tuple[Half, Half]:
    def tell(control: str) -> Story:
        story = Story()
        where = {"endpoint": Endpoint(address=OWN, port=443)}
        for number in range(11, 16):
            neutral = story.experiment(Design.SNI, Step.HANDSHAKE, NameKind.NEUTRAL, number, **where)
            story.tcp(experiment=neutral).tls(control, experiment=neutral)
        for number in range(11, 16):
            test = story.experiment(Design.SNI, Step.HANDSHAKE, NameKind.TEST, number, about="late", **where)
            story.tcp(experiment=test).tls("reset", experiment=test)
        return story

    first = cite(failing_hello("reset"), age_s=220.0)
    return (
        half(
            tell("reset").case(cold_start=True, cites=(first,)),
            "impaired unknown C1",
            "After a cool-down neutral names are reset first: it is the place, whoever does it.",
        ),
        half(
            tell("ok").case(cold_start=True, cites=(first,)),
            "likely_blocked network C2",
            "After a cool-down five neutral names pass, then five tests are reset.",
        ),
    )


@golden("srv.sni_rejected.alert_112")
def unknown_name() -> tuple[Half, Half]:
    return (
        half(failing_hello("alert", alert=112).case(), "server_side server C1", "The server does not know the name."),
        half(failing_hello("alert", alert=40).case(), "impaired unknown C1", "An alert that can mean anything."),
    )


@golden("srv.tls_refused.neutral_too")
def refuses_all() -> tuple[Half, Half]:
    return (
        half(
            paired("alert", controls=1, control="alert").case(), "server_side server C1", "The same alert for any name."
        ),
        half(paired("alert", controls=1, control="ok").case(), "insufficient unknown C0", "Only this name draws it."),
    )


def _seen(rule: str, outcome: str, what: str) -> None:
    @golden(rule)
    def tell() -> tuple[Half, Half]:
        return (
            half(failing_hello(outcome).case(), "impaired unknown C1", f"{what}, twice, with nothing to compare."),
            half(
                Story().dns(OWN).tcp().tls(outcome).once_more(Step.HANDSHAKE, "ok").case(),
                "ok none C2",
                f"{what}, once: the repeat goes through.",
            ),
        )


_seen("tls.alert.seen", "alert", "Refused with an alert")
_seen("tls.reset.reset.seen", "reset", "Reset during the handshake")
_seen("tls.fin.fin.seen", "fin", "Closed during the handshake")
_seen("tls.timeout.silent.seen", "silent", "Silent during the handshake")
_seen("tls.garbage.seen", "garbage", "Something that is not TLS")
_seen("tls.broken.seen", "unreachable", "An ICMP error in the middle of the handshake")
