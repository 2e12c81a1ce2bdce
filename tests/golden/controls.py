"""Golden stories about what controls saw at the same place."""

from probe.classify.case import Case
from probe.model.endpoint import Endpoint
from probe.model.experiment import Design, NameKind, Place, Step
from probe.model.failure import FailureCode, IcmpError
from probe.model.fingerprint import Fingerprint, FoundIn, Matching, Reference
from probe.model.path_trace import HopAnswer, TraceKind
from tests.golden.story import Half, golden, half
from tests.golden.traces import trace
from tests.unit.classify.cases import HOME, NAME, OWN, REAL, Story
from tests.unit.classify.outside import all_well, rounds

NX, NO_ANSWER, REFUSED = FailureCode.DNS_NXDOMAIN, FailureCode.DNS_NO_ANSWER, FailureCode.DNS_REFUSED
SERVFAIL, LOST = FailureCode.DNS_SERVFAIL, FailureCode.TIMEOUT
BOGON, V6 = "10.10.34.34", "2a02:2d8:1::1"
LIKELY, OPEN, DOWN = "likely_blocked network C2", "impaired unknown C1", "down outage C2"
NOTICE = Reference(
    fingerprints=(
        Fingerprint(
            name="notice", scope="nat", found_in=FoundIn.BODY, matching=Matching.CONTAINS, pattern="by order of"
        ),
    )
)
CLEAR = {"secure": False, "port": 80, "address": f"http://{NAME}"}
ORDER = {"title": "Notice", "body": b"closed by order of the court"}
WELCOME = {"title": "Welcome", "body": b"<p>hello</p>" * 50}


def judged(story: Story, outside: Story, times: int = 2, **fields: object) -> Case:
    """Return the case with so many rounds of the same outside view, 30 s apart."""
    return story.case(controls=rounds(outside, times), **fields)


def connect(outcome: str, other_port: str = "", icmp: IcmpError | None = None) -> Story:
    """Tell of a connect that failed twice, and of another port of the same host."""
    story = Story().dns(OWN).tcp(outcome, icmp=icmp).once_more(Step.CONNECT, outcome, icmp=icmp)
    if other_port:
        planned = story.experiment(
            Design.PORTS,
            Step.CONNECT,
            NameKind.NONE,
            1,
            endpoint=Endpoint(address=OWN, port=80),
            about=f"{OWN}:443",
            place=Place.UNRELATED,
        )
        story.tcp(other_port, port=80, experiment=planned)
    return story


def beyond_routers(count: int) -> Story:
    """Tell of a silent address, and of SYNs to it and beside it that so many routers let pass."""
    story = connect("silent")
    for kind in (NameKind.TEST, NameKind.NEUTRAL):
        trace(story, kind, TraceKind.SYN, HopAnswer.SILENT, ttls=(*range(1, count + 1), 9, 12), ends_at=count + 1)
    return story


def hello(outcome: str, **more: object) -> Story:
    """Tell of a handshake that failed twice."""
    return Story().dns(OWN).tcp().tls(outcome, **more).once_more(Step.HANDSHAKE, outcome, **more)


def asked(outcome: str) -> Story:
    """Tell of a request in the clear that failed twice."""
    return Story(**CLEAR).dns(OWN).tcp().http(outcome).once_more(Step.FETCH, outcome)


def served(**page: object) -> Story:
    """Tell of a page that came in the clear."""
    return Story(**CLEAR).dns(OWN).tcp().http(**page)


def denied(answer: object, /, **neutral: object) -> Story:
    """Tell of a resolver that gives this five times, and answers neutral names as said."""
    return Story().dns(answer).again(answer, times=4).neutrals(**neutral)


@golden("dns.injection.bogon.control_differs")
def bogon() -> tuple[Half, Half]:
    def tell(**resolver: object) -> Story:
        story = Story().dns(BOGON, **resolver).tcp("silent", address=BOGON).again(BOGON, **resolver)
        return story.once_more(Step.CONNECT, "silent", address=BOGON).neutrals(**resolver)

    site = Story().dns(REAL).tcp(address=REAL)
    return (
        half(judged(tell(), site), LIKELY, "Twice a private address for us, twice the site's for a control."),
        half(judged(tell(resolver=HOME), site), OPEN, "A resolver of one's own network says so: nobody is accused."),
    )


@golden("dns.control_differs.refuted")
def refuted() -> tuple[Half, Half]:
    def tell(asn: int) -> Case:
        story = Story().dns(OWN, asns=(asn,)).tcp().tls("untrusted", verify_code=62).again(OWN).neutrals()
        story.once_more(Step.HANDSHAKE, "untrusted", verify_code=62)
        return judged(story, Story().dns(REAL, asns=(64501,)).tcp(address=REAL).tls(address=REAL))

    return (
        half(tell(64500), LIKELY, "Our address has another site's certificate, the control's has the site's."),
        half(tell(64501), OPEN, "Our address is in the site's own network: one of its nodes has a wrong certificate."),
    )


def _denying(rule: str, answer: FailureCode, says: str, about: str, nearly: Half) -> None:
    @golden(rule)
    def tell() -> tuple[Half, Half]:
        return half(judged(denied(answer), all_well()), says, about), nearly


_DEAD = "impaired local C1"
_denying(
    "dns.nxdomain.control_knows",
    NX,
    LIKELY,
    "No such name for us, an address for a control, in two rounds; neutral names are answered.",
    half(
        judged(Story().dns(NX, resolver=HOME).again(NX, resolver=HOME).neutrals(resolver=HOME), all_well()),
        OPEN,
        "A filter in one's own network may deny the name.",
    ),
)
_denying(
    "dns.no_answer.control_knows",
    NO_ANSWER,
    LIKELY,
    "No address for us, one for a control, in two rounds.",
    half(
        judged(denied(NO_ANSWER), Story().dns(V6, query_type="AAAA")),
        OPEN,
        "The control was given an IPv6 address, we asked for IPv4 ones.",
    ),
)
_denying(
    "dns.refused.control_knows",
    REFUSED,
    LIKELY,
    "Refused for this name alone, five times.",
    half(judged(denied(REFUSED, answer=REFUSED), all_well()), _DEAD, "It refuses neutral names as well."),
)
_denying(
    "dns.servfail.control_knows",
    SERVFAIL,
    OPEN,
    "A failure may be DNSSEC data that a control's resolver does not check: nobody is accused.",
    half(judged(denied(SERVFAIL, answer=SERVFAIL), all_well()), _DEAD, "Neutral names fail as well."),
)
_denying(
    "dns.timeout.control_knows",
    LOST,
    OPEN,
    "The name's own servers may not answer our resolver: nobody is accused.",
    half(judged(denied(LOST, answer=LOST), all_well()), _DEAD, "The resolver is silent for neutral names as well."),
)


@golden("srv.no_such_name.control_too")
def no_such_name() -> tuple[Half, Half]:
    return (
        half(judged(denied(NX), Story().dns(NX)), DOWN, "A control is told twice that there is no such name."),
        half(judged(denied(NX), Story().dns(LOST)), OPEN, "The control's resolver did not answer: that says nothing."),
    )


def _unreached(rule: str, story: Story, about: str) -> None:
    @golden(rule)
    def tell() -> tuple[Half, Half]:
        return (
            half(judged(story, all_well()), LIKELY, about),
            half(
                judged(story, Story().dns(REAL).tcp(address=REAL).tls(address=REAL)),
                OPEN,
                "The control was at another address of the name: it says nothing of this one.",
            ),
        )


_unreached("ip.port_drop.control_ok", connect("silent", "ok"), "This port is silent for us alone; another answers us.")
_unreached("ip.drop.control_ok", connect("silent", "silent"), "No port answers us; a control connects.")
_unreached("ip.silent.control_ok", connect("silent"), "Silence for us, a connection for a control, in two rounds.")


@golden("ip.unreachable.control_ok")
def unreachable() -> tuple[Half, Half]:
    refused = IcmpError(type=3, code=13, offender="62.115.44.1")
    return (
        half(
            judged(connect("unreachable", icmp=refused), all_well()),
            LIKELY,
            "A router outside refuses us, and a control connects.",
        ),
        half(
            judged(connect("unreachable"), all_well()),
            OPEN,
            "No router says so: this host's own routing, or its own firewall, may refuse.",
        ),
    )


_unreached("tcp.rst_synack.control_ok", connect("reset"), "A reset while we connect, a connection for a control.")
_unreached("tcp.rst_syn.control_ok", connect("refused"), "A reset for us, a connection for a control.")


def _shaken(rule: str, outcome: str) -> None:
    @golden(rule)
    def tell() -> tuple[Half, Half]:
        return (
            half(judged(hello(outcome), all_well()), LIKELY, "Twice here, while a control shakes hands twice."),
            half(
                judged(hello(outcome), Story().dns(OWN).tcp()),
                OPEN,
                "The control only connected: whether the name is answered there, it does not know.",
            ),
        )


_shaken("tls.reset.reset.control_ok", "reset")
_shaken("tls.fin.fin.control_ok", "fin")
_shaken("tls.timeout.silent.control_ok", "silent")


@golden("tls.mitm.untrusted.control_valid")
def other_certificate() -> tuple[Half, Half]:
    ours = hello("untrusted", chain=(b"box",))
    return (
        half(
            judged(ours, Story().dns(OWN).tcp().tls(chain=(b"site",))),
            LIKELY,
            "At one address we are shown another certificate than a control, which accepts its own.",
        ),
        half(
            judged(ours, Story().dns(OWN).tcp().tls(chain=(b"box",))),
            OPEN,
            "The control accepts the very certificate that we do not: our roots are old, or a part is missing.",
        ),
    )


def _exchanged(rule: str, outcome: str) -> None:
    @golden(rule)
    def tell() -> tuple[Half, Half]:
        site = Story(**CLEAR).dns(OWN).tcp()
        return (
            half(judged(asked(outcome), served()), LIKELY, "Twice after our request; a control gets the page twice."),
            half(judged(asked(outcome), site.http(status=502)), OPEN, "The control gets a fault: the site is ill."),
        )


_exchanged("http.reset.reset.control_page", "reset")
_exchanged("http.fin.fin.control_page", "fin")
_exchanged("http.timeout.silent.control_page", "silent")


@golden("http.blockpage.fingerprint.control_differs")
def notice() -> tuple[Half, Half]:
    return (
        half(
            judged(served(**ORDER), served(**WELCOME), reference=NOTICE),
            LIKELY,
            "A known notice for us, another page for a control, in two rounds.",
        ),
        half(
            judged(served(**ORDER), served(**ORDER), reference=NOTICE),
            OPEN,
            "The control gets the notice too: it is the site's own page.",
        ),
    )


@golden("http.differs.control")
def another_page() -> tuple[Half, Half]:
    return (
        half(
            judged(served(**ORDER), served(**WELCOME)),
            OPEN,
            "Another page for a control, and none that is known: the site may choose by country.",
        ),
        half(
            judged(served(**ORDER), served(status=403, title="Forbidden")),
            "ok none C2",
            "The control is refused, as many sites refuse machines in data centres: nothing to compare with.",
        ),
    )


@golden("srv.down.control_fails")
def dead() -> tuple[Half, Half]:
    outside = Story().dns(OWN).tcp("silent")
    return (
        half(judged(connect("silent"), outside), DOWN, "A control cannot connect there either, in two rounds."),
        half(
            judged(connect("silent"), Story().dns(OWN).tcp("no_descriptors")),
            OPEN,
            "The control's own host could not try: that says nothing.",
        ),
    )


@golden("srv.down.control_unanswered")
def mute() -> tuple[Half, Half]:
    outside = Story(**CLEAR).dns(OWN).tcp()
    return (
        half(judged(asked("silent"), outside.http("silent")), DOWN, "A control's requests are not answered either."),
        half(
            judged(asked("silent"), Story(**CLEAR).dns(OWN).tcp()),
            OPEN,
            "The control only connected: whether requests are answered there, it does not know.",
        ),
    )


@golden("ip.silent.routers_passed.control_ok")
def routers_passed() -> tuple[Half, Half]:
    return (
        half(
            judged(beyond_routers(6), Story().dns(OWN).tcp()),
            OPEN,
            "Our packets pass all the routers that a neighbour's do: nothing shows that the network drops them.",
        ),
        half(
            judged(beyond_routers(2), Story().dns(OWN).tcp()),
            LIKELY,
            "Two routers are too few to say so.",
        ),
    )


@golden("srv.cert_untrusted.control_same")
def bad_certificate() -> tuple[Half, Half]:
    return (
        half(
            judged(hello("untrusted"), Story().dns(OWN).tcp().tls("untrusted"), 1),
            "server_side server C1",
            "The control does not trust the certificate either.",
        ),
        half(
            judged(hello("untrusted"), Story().dns(OWN).tcp().tls("reset"), 1),
            OPEN,
            "The control was shown no certificate at all.",
        ),
    )
