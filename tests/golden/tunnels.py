"""Golden stories about conversations with tunnels: what silence, a hang-up and a refusal may be called."""

from probe.model.depth import Depth
from probe.model.endpoint import Endpoint
from probe.model.failure import Failure, FailureCode, Stage
from probe.model.observation import DialogueExchange
from probe.model.target import CheckName
from tests.golden import tunnel_proofs  # noqa: F401 (it registers its stories)
from tests.golden.story import Half, golden, half
from tests.unit.classify.cases import OWN, Story


class TunnelStory(Story):
    """Tells of an OpenVPN server, spoken to over UDP."""

    def __init__(self) -> None:
        super().__init__(
            check=CheckName.VPN, address=f"openvpn://{OWN}:1194", host=OWN, port=1194, params={"protocol": "openvpn"}
        )

    def speak(self, code: FailureCode | None, depth: Depth = Depth.NONE) -> "TunnelStory":
        failure = None if code is None else Failure(stage=Stage.DIALOGUE, code=code)
        self.observations.append(
            DialogueExchange(
                **self._base(None, 0),
                endpoint=Endpoint(address=OWN, port=1194),
                protocol="openvpn",
                transport="udp",
                depth=depth,
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
