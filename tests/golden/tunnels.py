"""Golden stories about conversations with tunnels: what silence, a hang-up and a refusal may be called."""

import msgspec

from probe.model.depth import Depth
from probe.model.endpoint import Endpoint
from probe.model.failure import Failure, FailureCode, Stage
from probe.model.observation import DialogueExchange
from probe.model.target import CheckName
from probe.model.vantage import Baseline, LocalFinding
from tests.golden import tunnel_proofs  # noqa: F401 (it registers its stories)
from tests.golden.story import Half, golden, half
from tests.unit.classify.cases import FIT, OWN, Story

OUT_OF_DATE, OTHER_AUTHORITY = 10, 20


class TunnelStory(Story):
    """Tells of an OpenVPN server, spoken to over UDP."""

    def __init__(self) -> None:
        super().__init__(
            check=CheckName.VPN, address=f"openvpn://{OWN}:1194", host=OWN, port=1194, params={"protocol": "openvpn"}
        )

    def speak(self, code: FailureCode | None, depth: Depth = Depth.NONE, verify_code: int = 0) -> "TunnelStory":
        failure = None if code is None else Failure(stage=Stage.DIALOGUE, code=code)
        self.observations.append(
            DialogueExchange(
                **self._base(None, 0),
                endpoint=Endpoint(address=OWN, port=1194),
                protocol="openvpn",
                transport="udp",
                depth=depth,
                verify_code=verify_code,
                failure=failure,
            )
        )
        return self


def said(code: FailureCode | None, says: str, about: str, depth: Depth = Depth.NONE) -> Half:
    return half(TunnelStory().speak(code, depth).case(), says, about)


def works(about: str) -> Half:
    return said(None, "ok none C2", about, Depth.PROOF)


@golden("vpn.not_asked")
def not_asked() -> tuple[Half, Half]:
    return (
        said(FailureCode.TOO_SOON, "insufficient instrument C0", "Asked a moment ago: nothing was sent."),
        said(FailureCode.TIMEOUT, "insufficient unknown C0", "It was asked, and is silent."),
    )


@golden("srv.auth_failed.said")
def refused_by_the_server() -> tuple[Half, Half]:
    return (
        said(FailureCode.REFUSED_BY_PEER, "server_side server C1", "It answers in its protocol: no.", Depth.HELLO),
        said(FailureCode.EOF, "insufficient unknown C0", "It hangs up: that may be a no, and may be a filter."),
    )


def shown(verify_code: int, code: FailureCode, says: str, about: str, baseline: Baseline = FIT) -> Half:
    return half(TunnelStory().speak(code, Depth.HELLO, verify_code).case(baseline=baseline), says, about)


@golden("srv.cert_expired.tunnel")
def the_servers_certificate_is_over() -> tuple[Half, Half]:
    return (
        shown(OUT_OF_DATE, FailureCode.SSL_INVALID_CERTIFICATE, "server_side server C2", "Only its dates are over."),
        shown(
            OTHER_AUTHORITY, FailureCode.SSL_UNKNOWN_AUTHORITY, "insufficient unknown C0",
            "It comes from another authority than the file's: whose server that is, is open.",
        ),
    )  # fmt: skip


@golden("srv.auth_failed.lapsed")
def ours_is_over() -> tuple[Half, Half]:
    return (
        shown(
            0, FailureCode.CREDENTIALS_EXPIRED, "server_side server C1", "It ends at our certificate, which is over."
        ),
        shown(0, FailureCode.EOF, "insufficient unknown C0", "It ends there, and our certificate is good."),
    )


@golden("net.clock.tunnel_certificate")
def over_by_a_wrong_clock() -> tuple[Half, Half]:
    wrong = msgspec.structs.replace(FIT, findings=(LocalFinding.CLOCK_WRONG,))
    code = FailureCode.SSL_INVALID_CERTIFICATE
    return (
        shown(OUT_OF_DATE, code, "impaired local C2", "Over by a clock that is wrong.", wrong),
        shown(OUT_OF_DATE, code, "server_side server C2", "Over by a clock that is right."),
    )


@golden("vpn.refused.seen")
def refused_by_somebody() -> tuple[Half, Half]:
    return (
        said(FailureCode.CONNECTION_REFUSED, "insufficient unknown C0", "The port is refused, once."),
        said(FailureCode.TIMEOUT, "insufficient unknown C0", "The port says nothing at all."),
    )


@golden("vpn.closed.unproven")
def hung_up() -> tuple[Half, Half]:
    return (
        said(FailureCode.EOF, "insufficient unknown C0", "Closed after our hello, as a wrong key is."),
        said(FailureCode.UNEXPECTED_ANSWER, "insufficient unknown C0", "Something answers, and not this protocol."),
    )


@golden("vpn.silent.unproven")
def silent() -> tuple[Half, Half]:
    return (
        said(FailureCode.TIMEOUT, "insufficient unknown C0", "No answer, and nobody ever proved these keys."),
        works("It answers, and proves who it is."),
    )


@golden("vpn.broken.seen")
def nonsense() -> tuple[Half, Half]:
    return (
        said(FailureCode.UNEXPECTED_ANSWER, "insufficient unknown C0", "An answer that no such server gives."),
        works("An answer that this server alone can give."),
    )


@golden("vpn.stopped.unproven")
def stopped() -> tuple[Half, Half]:
    return (
        said(FailureCode.TIMEOUT, "insufficient unknown C0", "It answers our hello, and no more comes.", Depth.HELLO),
        said(FailureCode.TIMEOUT, "insufficient unknown C0", "It never answered."),
    )


@golden("vpn.stopped.let_in")
def stopped_later() -> tuple[Half, Half]:
    return (
        said(FailureCode.TIMEOUT, "insufficient unknown C0", "It lets us in, and no more comes.", Depth.AUTH),
        said(FailureCode.TIMEOUT, "insufficient unknown C0", "It proves itself, and no more comes.", Depth.PROOF),
    )


@golden("vpn.foreign_certificate.seen")
def of_another_authority() -> tuple[Half, Half]:
    foreign = FailureCode.SSL_UNKNOWN_AUTHORITY
    return (
        said(foreign, "insufficient unknown C0", "The certificate is not of the file's CA.", Depth.HELLO),
        said(FailureCode.UNEXPECTED_ANSWER, "insufficient unknown C0", "There is no certificate in it.", Depth.HELLO),
    )


@golden("srv.relay_failed.said")
def let_in_and_not_carried_on() -> tuple[Half, Half]:
    denied = FailureCode.REFUSED_BY_PEER
    return (
        said(denied, "server_side server C1", "It took our login, and cannot reach where we asked for.", Depth.AUTH),
        said(denied, "server_side server C1", "It takes no login of ours.", Depth.HELLO),
    )
