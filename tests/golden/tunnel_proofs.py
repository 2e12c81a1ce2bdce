"""Golden stories about tunnels whose credentials are proven: what a reference and other networks let be said."""

import msgspec

from probe.classify.case import Case
from probe.model.control import ControlReport
from probe.model.depth import Depth
from probe.model.endpoint import Endpoint
from probe.model.experiment import Design, NameKind, Place, Step
from probe.model.failure import Failure, FailureCode, Stage
from probe.model.observation import DialogueExchange
from probe.model.proof import Proof, ProofSource
from probe.model.target import CheckName
from tests.golden.story import Half, golden, half
from tests.unit.classify.cases import FIT, OWN, Story
from tests.unit.classify.outside import rounds

REFERENCE = "45.90.9.9"
SILENT, RESET, FIN = FailureCode.TIMEOUT, FailureCode.CONNECTION_RESET, FailureCode.EOF
PLACE = (f"{REFERENCE}:1194",)
EARLIER = (Proof(source=ProofSource.HISTORY, age_s=86400.0, references=PLACE, greeted=PLACE, measurement="01"),)
UNGREETED = (msgspec.structs.replace(EARLIER[0], greeted=()),)
SAID = (Proof(source=ProofSource.USER, age_s=86400.0),)
ELSEWHERE = tuple(
    Proof(source=ProofSource.HISTORY, age_s=age_s, elsewhere=True, references=(f"{REFERENCE}:1194",), measurement=name)
    for age_s, name in ((20.0, "02"), (80.0, "03"))
)


class Tunnel(Story):
    """Tells of a server and a reference, by datagrams or over a stream."""

    def __init__(self, protocol: str = "openvpn", transport: str = "udp", **params: str) -> None:
        self.transport = transport
        super().__init__(
            check=CheckName.VPN, address=f"{protocol}://{OWN}:1194", host=OWN, port=1194,
            params={"protocol": protocol} | params,
        )  # fmt: skip

    def _speak(self, address: str, code: FailureCode | None, depth: Depth, experiment: object = None) -> "Tunnel":
        failure = None if code is None else Failure(stage=Stage.DIALOGUE, code=code)
        self.observations.append(
            DialogueExchange(
                **self._base(experiment, 0), endpoint=Endpoint(address=address, port=1194),
                protocol=self.target.params["protocol"], transport=self.transport, depth=depth, failure=failure,
            )
        )  # fmt: skip
        return self

    def own(self, code: FailureCode | None, depth: Depth = Depth.NONE, times: int = 1) -> "Tunnel":
        if self.transport == "tcp":
            self.tcp()
        self._speak(OWN, code, depth)
        for number in range(1, times):
            here = Endpoint(address=OWN, port=1194)
            again = self.experiment(Design.REPEAT, Step.CONVERSE, NameKind.TEST, number, endpoint=here)
            self._speak(OWN, code, depth, again)
        return self

    def reference(self, code: FailureCode | None, depth: Depth = Depth.NONE, times: int = 5) -> "Tunnel":
        for number in range(1, times + 1):
            self._speak(REFERENCE, code, depth, self._plan(Step.CONVERSE, NameKind.TEST, number))
        return self

    def harmless(self, code: FailureCode | None = None, times: int = 5) -> "Tunnel":
        for number in range(1, times + 1):
            if self.transport == "udp":
                self._speak(REFERENCE, code, Depth.NONE, self._plan(Step.CONVERSE, NameKind.NEUTRAL, number))
                continue
            planned = self._plan(Step.FETCH, NameKind.NEUTRAL, number)
            self.tcp(address=REFERENCE, experiment=planned)
            self.http("ok" if code is None else "reset", address=REFERENCE, experiment=planned, secure=False)
        return self

    def opens(self, outcome: str = "ok", times: int = 2) -> "Tunnel":
        for number in range(1, times + 1):
            self.tcp(outcome, address=REFERENCE, experiment=self._plan(Step.CONNECT, NameKind.NONE, number))
        return self

    def sibling(self, outcome: str, lost: int = 0) -> "Tunnel":
        other = Endpoint(address=OWN, port=443)
        planned = self.experiment(
            Design.SERVICE, Step.CONNECT, NameKind.NONE, 1, endpoint=other, place=Place.UNRELATED, about=f"{OWN}:1194"
        )
        self.tcp(outcome, port=443, experiment=planned)
        self.observations[-1] = msgspec.structs.replace(self.observations[-1], syn_retransmits=lost)
        return self

    def _plan(self, step: Step, kind: NameKind, number: int) -> object:
        there = Endpoint(address=REFERENCE, port=1194)
        return self.experiment(
            Design.REFERENCE, step, kind, number, endpoint=there, place=Place.UNRELATED, about=f"{OWN}:1194"
        )

    def known(self, proofs: tuple[Proof, ...], clock_s: float | None = None) -> Case:
        return self.case(proofs=proofs, baseline=msgspec.structs.replace(FIT, clock_offset_s=clock_s))


@golden("net.clock.tunnel")
def clock() -> tuple[Half, Half]:
    def case(offset_s: float, method: str = "2022-blake3-aes-256-gcm") -> Case:
        return Tunnel("shadowsocks", "tcp", method=method).own(RESET).known(EARLIER, offset_s)

    return (
        half(
            case(45.0), "impaired local C1", "The world's clock is 45 s ahead, and 30 s is what this protocol allows."
        ),
        half(case(20.0), "insufficient unknown C0", "20 s are allowed: the reset has another reason."),
    )


@golden("ip.proto_drop.udp_lost")
def udp_lost() -> tuple[Half, Half]:
    return (
        half(
            Tunnel().own(SILENT).harmless(SILENT, times=7).opens(times=4).known(EARLIER),
            "likely_blocked network C2",
            "Not one datagram is answered, and connections to the same reference open.",
        ),
        half(
            Tunnel().own(SILENT).harmless(SILENT, times=7).opens(times=4).known(UNGREETED),
            "insufficient unknown C0",
            "The reference answered its own protocol before, and nobody ever saw it answer anything else.",
        ),
    )


@golden("vpn.data_drop.reference_too")
def data_dropped() -> tuple[Half, Half]:
    return (
        half(
            Tunnel().own(SILENT, Depth.HELLO).harmless().reference(SILENT, Depth.HELLO).known(EARLIER),
            "likely_blocked network C2",
            "Both answer the first packet, and neither the next; other bytes come and go.",
        ),
        half(
            Tunnel().own(SILENT, Depth.HELLO).harmless().reference(None, Depth.PROOF).known(EARLIER),
            "impaired unknown C1",
            "With the reference the conversation goes on: it is this server, or what is done to it alone.",
        ),
    )


@golden("vpn.handshake_drop.reference_too")
def handshake_dropped() -> tuple[Half, Half]:
    return (
        half(
            Tunnel().own(SILENT).harmless().reference(SILENT).known(EARLIER),
            "likely_blocked network C2",
            "No answer here, none from a reference whose port answers all else, five of five.",
        ),
        half(
            Tunnel().own(SILENT, times=2).harmless().reference(SILENT).known(SAID),
            "impaired unknown C1",
            "The user says that it worked; of the reference nobody knows that it ever answered.",
        ),
    )


@golden("vpn.reset.reference_too")
def reset() -> tuple[Half, Half]:
    return (
        half(
            Tunnel(transport="tcp").own(RESET).harmless().reference(RESET).known(EARLIER),
            "likely_blocked network C2",
            "Reset once the protocol begins, here and with a reference that serves pages on the same port.",
        ),
        half(
            Tunnel(transport="tcp").own(RESET).harmless().reference(RESET, times=4).known(EARLIER),
            "insufficient unknown C0",
            "Four of five are too few, and one failure here says nothing.",
        ),
    )


def reached(layer: str, outcome: str, proofs: tuple[Proof, ...] = ELSEWHERE) -> Case:
    """Tell of a tunnel in TLS whose connection, or handshake, broke twice."""
    story = Tunnel("trojan", "tcp", security="tls")
    for number in range(2):
        here = Endpoint(address=OWN, port=1194)
        again = story.experiment(Design.REPEAT, Step.CONVERSE, NameKind.TEST, number, endpoint=here) if number else None
        if layer == "tcp":
            story.tcp(outcome, experiment=again)
        else:
            story.tcp(experiment=again)
            story.tls(outcome, experiment=again)
    return story.known(proofs)


def unreached(layer: str, outcome: str, about: str) -> tuple[Half, Half]:
    return (
        half(reached(layer, outcome), "likely_blocked network C2", about),
        half(
            reached(layer, outcome, EARLIER),
            "impaired unknown C1",
            "It worked from here yesterday, and nobody has looked from another network.",
        ),
    )


@golden("ip.silent.elsewhere_ok")
def no_connection() -> tuple[Half, Half]:
    return unreached("tcp", "silent", "Others connect at this moment, and our SYNs get no answer, twice.")


@golden("tls.reset.elsewhere_ok")
def tls_reset() -> tuple[Half, Half]:
    return unreached("tls", "reset", "Others get in at this moment; our hello is answered by a reset, twice.")


@golden("tls.fin.elsewhere_ok")
def tls_cut_off() -> tuple[Half, Half]:
    return unreached("tls", "fin", "Others get in at this moment; our hello is answered by a FIN, twice.")


@golden("tls.timeout.elsewhere_ok")
def tls_silent() -> tuple[Half, Half]:
    return unreached("tls", "silent", "Others get in at this moment; our hello gets no answer, twice.")


@golden("ip.drop.elsewhere_ok")
def address_dropped() -> tuple[Half, Half]:
    def story(outcome: str) -> Case:
        return Tunnel().own(SILENT, times=2).sibling(outcome).known(ELSEWHERE)

    return (
        half(story("silent"), "likely_blocked network C2", "Elsewhere it works; here no port of the address answers."),
        half(story("ok"), "likely_blocked network C2", "Another port of the same address answers: not the address."),
    )


@golden("vpn.sessions_counted.elsewhere_ok")
def counted_while_others_are_served() -> tuple[Half, Half]:
    def story(protocol: str) -> Case:
        return (
            Tunnel(protocol).own(SILENT, Depth.HELLO, times=2).harmless().reference(None, Depth.PROOF).known(ELSEWHERE)
        )

    return (
        half(
            story("ikev2"),
            "impaired unknown C1",
            "It asks for a cookie and then falls silent, to us alone: so does who counts what we left half open.",
        ),
        half(
            story("openvpn"),
            "likely_blocked network C2",
            "OpenVPN's servers count nobody's sessions: what cuts us off alone is not the server.",
        ),
    )


@golden("vpn.burned.elsewhere_ok")
def burned() -> tuple[Half, Half]:
    def story(proofs: tuple[Proof, ...]) -> Case:
        return Tunnel().own(SILENT, times=2).sibling("silent").known(proofs)

    return (
        half(
            story((*ELSEWHERE, *EARLIER)),
            "likely_blocked network C2",
            "It worked from here yesterday and works elsewhere now; here no port of the address answers any more.",
        ),
        half(
            story(ELSEWHERE),
            "likely_blocked network C2",
            "It never worked from here: the address is dropped, and nobody knows since when.",
        ),
    )


@golden("vpn.burned.control_ok")
def port_burned() -> tuple[Half, Half]:
    def story(proofs: tuple[Proof, ...]) -> Case:
        silent = Tunnel(transport="tcp")
        silent.tcp("silent")
        again = silent.experiment(
            Design.REPEAT, Step.CONNECT, NameKind.TEST, 1, endpoint=Endpoint(address=OWN, port=1194)
        )
        silent.wait(1.0).tcp("silent", experiment=again)
        open_there = Tunnel(transport="tcp").tcp()
        return silent.case(proofs=proofs, baseline=FIT, controls=rounds(open_there, 2))

    return (
        half(story(EARLIER), "likely_blocked network C2", "We got in yesterday; now a control alone does."),
        half(
            story(()),
            "likely_blocked network C2",
            "A control gets in where we do not; of what was before nobody knows.",
        ),
    )


@golden("vpn.endpoint_block.elsewhere_ok")
def endpoint_blocked() -> tuple[Half, Half]:
    return (
        half(
            Tunnel().own(SILENT, times=2).harmless().reference(None, Depth.HELLO).known(ELSEWHERE),
            "likely_blocked network C2",
            "Elsewhere this server works, here its protocol does: this server alone is kept out.",
        ),
        half(
            Tunnel().own(SILENT, times=2).harmless().reference(None, Depth.HELLO).known(EARLIER),
            "impaired unknown C1",
            "It worked yesterday, from here: since then it may have been switched off, or its keys changed.",
        ),
    )


@golden("vpn.data_drop.elsewhere_ok")
def data_dropped_here() -> tuple[Half, Half]:
    def story(depth: Depth) -> Case:
        return Tunnel().own(SILENT, depth, times=2).known(ELSEWHERE)

    return (
        half(story(Depth.HELLO), "likely_blocked network C2", "It answers, and then nothing: elsewhere all goes on."),
        half(story(Depth.NONE), "likely_blocked network C2", "It does not answer at all: not its data alone is lost."),
    )


@golden("vpn.elsewhere_ok")
def elsewhere() -> tuple[Half, Half]:
    late = tuple(msgspec.structs.replace(proof, age_s=proof.age_s + 600.0) for proof in ELSEWHERE)
    return (
        half(
            Tunnel().own(SILENT, times=2).known(ELSEWHERE),
            "likely_blocked network C2",
            "Twice in these minutes the same handshake worked from another network.",
        ),
        half(
            Tunnel().own(SILENT, times=2).known(late),
            "impaired unknown C1",
            "That was a quarter of an hour ago: proof of the credentials, and no control any more.",
        ),
    )


@golden("vpn.changed.reference_ok")
def changed() -> tuple[Half, Half]:
    return (
        half(
            Tunnel().own(SILENT).harmless().reference(None, Depth.HELLO).known(EARLIER),
            "impaired unknown C1",
            "A reference answers and this server does not, with keys that worked: off, changed, or blocked alone.",
        ),
        half(
            Tunnel().own(SILENT).harmless().reference(None, Depth.HELLO).known(()),
            "insufficient unknown C0",
            "With keys that were never seen to work this may be a wrong key, and nothing else.",
        ),
    )


@golden("vpn.ended.proven")
def ended() -> tuple[Half, Half]:
    old = (Proof(source=ProofSource.HISTORY, age_s=60 * 86400.0, measurement="01"),)
    return (
        half(Tunnel().own(SILENT, times=2).known(EARLIER), "impaired unknown C1", "Silent twice; it worked yesterday."),
        half(
            Tunnel().own(SILENT, times=2).known(old), "insufficient unknown C0", "It worked two months ago: too long."
        ),
    )


@golden("vpn.reference_too.elsewhere_ok")
def settled() -> tuple[Half, Half]:
    def story(times: int) -> Case:
        return Tunnel().own(SILENT, times=times).harmless().reference(SILENT).known(ELSEWHERE)

    return (
        half(story(2), "blocked network C3", "The reference fails as well, and elsewhere it works: two methods agree."),
        half(
            Tunnel().own(SILENT, times=2).harmless().reference(SILENT).known(EARLIER),
            "likely_blocked network C2",
            "The reference alone: one method.",
        ),
    )


def greeted(code: FailureCode | None, protocol: str = "openvpn") -> tuple[ControlReport, ...]:
    """Tell of two rounds in which a control greeted the server."""
    outside = Tunnel(protocol).own(code, Depth.HELLO if code is None else Depth.NONE)
    return rounds(outside, 2)


def greeting(story: Tunnel, proofs: tuple[Proof, ...], control: tuple[ControlReport, ...]) -> Case:
    return story.case(proofs=proofs, baseline=FIT, controls=control)


@golden("vpn.burned.control_greeted")
def burned_as_greeted() -> tuple[Half, Half]:
    def case(sibling: str, times: int = 2) -> Case:
        return greeting(Tunnel().own(SILENT, times=times).sibling(sibling), EARLIER, greeted(None))

    return (
        half(case("silent"), "likely_blocked network C2", "It worked from here; a control is answered, we are not."),
        half(case("ok"), "likely_blocked network C2", "Another port of its host answers us; no reference was asked."),
    )


@golden("vpn.endpoint_block.control_greeted")
def endpoint_as_greeted() -> tuple[Half, Half]:
    told = (msgspec.structs.replace(SAID[0], references=(f"{REFERENCE}:1194",)),)

    def case(times: int) -> Case:
        return greeting(
            Tunnel().own(SILENT, times=2).harmless().reference(None, Depth.HELLO, times), told, greeted(None)
        )

    return (
        half(case(5), "likely_blocked network C2", "A control is answered there, we are by others alone."),
        half(case(1), "likely_blocked network C2", "One answer of a reference is too little to say where it fails."),
    )


@golden("vpn.control_greeted")
def greeted_elsewhere() -> tuple[Half, Half]:
    def case(code: FailureCode | None, proofs: tuple[Proof, ...] = SAID) -> Case:
        return greeting(Tunnel().own(SILENT, times=2), proofs, greeted(code))

    return (
        half(case(None), "likely_blocked network C2", "Twice a control's greeting was answered while ours was not."),
        half(case(SILENT), "impaired unknown C1", "The server is silent to the control as well."),
    )


@golden("vpn.sessions_counted.control_greeted")
def sessions_counted() -> tuple[Half, Half]:
    def case(protocol: str) -> Case:
        return greeting(Tunnel(protocol).own(SILENT, times=2), SAID, greeted(None, protocol))

    return (
        half(
            case("ikev2"),
            "impaired unknown C1",
            "strongSwan is silent to an address with five sessions half open, and answers a control.",
        ),
        half(case("openvpn"), "likely_blocked network C2", "OpenVPN's server counts no such thing."),
    )
