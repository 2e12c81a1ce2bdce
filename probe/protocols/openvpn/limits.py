"""Where a conversation ends because the file, or the server, asks for what is not spoken here.

That is nobody's fault and no finding: who asks for more is told by a `UserError` which option it is, and the verdict
is `insufficient`. Source: openvpn-manual for the options; `scramble` is a patch that some providers' clients carry.
"""

from enum import StrEnum

from probe.model.depth import Depth
from probe.model.errors import UserError
from probe.protocols.dialogue import Ask
from probe.protocols.relayed import goes_to


class Part(StrEnum):
    """What cannot be tried, as the target's params name it."""

    HELLO = "no_hello"
    LOGIN = "no_login"
    DATA = "no_data"


NOT_SPOKEN = {
    "secret": Part.HELLO, "scramble": Part.HELLO, "http-proxy": Part.HELLO, "socks-proxy": Part.HELLO,
    "static-challenge": Part.LOGIN, "pkcs11-id": Part.LOGIN, "cryptoapicert": Part.LOGIN,
}  # fmt: skip
"""Options of a file, by the first part that they keep us from. A challenge wants somebody to answer it."""
_DEPTHS = {Part.HELLO: Depth.REACH, Part.LOGIN: Depth.AUTH, Part.DATA: Depth.DATA}
_TRIED = {
    Part.HELLO: "nothing was asked",
    Part.LOGIN: "the server was reached, and no login was tried",
    Part.DATA: "the login went well, and the tunnel was not tried",
}
CHALLENGED = "the server asks for a second factor or a login in a browser, which nobody is here to give"
PASSWORD = "the password that the file asks for is not known"


def find_lack(ask: Ask, part: Part) -> str:
    """Return what keeps us from this part of the conversation; empty = nothing."""
    option = ask.params.get(part, "")
    if option:
        return f"{option} is not supported here"
    if part is Part.LOGIN and "pkcs12" in ask.secrets and "cert" not in ask.secrets:
        return "a PKCS #12 with a passphrase, or that is none, is not supported here"
    if part is Part.LOGIN and ask.params.get("asks") == "password" and "login" not in ask.secrets:
        return PASSWORD
    return ""


def stop_at(ask: Ask, part: Part, lack: str = "") -> None:
    """Go no further where we are asked to, and cannot.

    Raises:
        UserError: it says why.
    """
    lack = lack or find_lack(ask, part)
    if lack and goes_to(ask, _DEPTHS[part]):
        remedy = "give the login with the file" if lack == PASSWORD else "use OpenVPN's own client for the rest"
        raise UserError("openvpn", f"{lack}: {_TRIED[part]}", remedy)
