"""SOCKS5: does the proxy answer, take our login, and relay?

Source: RFC 1928 sections 3 to 6, RFC 1929 (user name and password). The reply codes are the proxy's own view of the
destination: "refused" or "unreachable" there is no fault of the way to the proxy.

Less than the RFCs: no GSSAPI, no BIND, no UDP ASSOCIATE.
"""

import msgspec

from probe.model.errors import ProtocolError
from probe.model.verdict import Depth
from probe.protocols.dialogue import Ask, Dialogue, DialogueSpec, Parsed, Reached, Refused, Send, Tcp
from probe.protocols.incoming import Incoming, Reading
from probe.protocols.proxies.socks_address import build_address, split_address
from probe.protocols.relayed import Relayed, goes_to, open_incoming, plan_errand, read_answer, split_relay
from probe.protocols.written.link import check_depth, parse_login_link

NO_LOGIN, LOGIN, NONE_ACCEPTABLE = 0x00, 0x02, 0xFF
REPLIES = {
    1: "general failure",
    2: "not allowed by the ruleset",
    3: "network unreachable",
    4: "host unreachable",
    5: "connection refused",
    6: "TTL expired",
    7: "command not supported",
    8: "address type not supported",
}


class SocksReply(msgspec.Struct, frozen=True, kw_only=True):
    """How the proxy greeted us."""

    method: str
    """`no login` or `user and password`: what it wants of us."""


def build_greeting(*, with_login: bool) -> bytes:
    """Return the methods that we can use."""
    return bytes((5, 2, NO_LOGIN, LOGIN)) if with_login else bytes((5, 1, NO_LOGIN))


def parse_method(data: bytes) -> int:
    """Read the two bytes of the method that the proxy chose.

    Raises:
        ProtocolError: this is not SOCKS5, or a method that nobody offered.
    """
    if len(data) != 2 or data[0] != 5 or data[1] not in (NO_LOGIN, LOGIN, NONE_ACCEPTABLE):
        raise ProtocolError(f"not a SOCKS5 method: {data[:16].hex()}")
    return data[1]


def build_login(user: bytes, password: bytes) -> Send:
    """Return the login of RFC 1929; the password is secret.

    Raises:
        ValueError: either is longer than 255 bytes.
    """
    data = b"\x01" + bytes((len(user),)) + user + bytes((len(password),)) + password
    return Send(data, secret_spans=((len(data) - len(password) - 1, len(data)),))


def build_connect(host: str, port: int) -> bytes:
    """Return the request to connect to this destination."""
    return b"\x05\x01\x00" + build_address(host, port)


def split_reply(data: bytes) -> tuple[int, int] | None:
    """Read the reply to a request: its code and the bytes it took; `None` = need more.

    Raises:
        ProtocolError: it is not a reply.
    """
    if len(data) < 3:
        return None
    if data[0] != 5 or data[2] != 0:
        raise ProtocolError(f"not a SOCKS5 reply: {data[:16].hex()}")
    bound = split_address(data[3:])
    return None if bound is None else (data[1], 3 + bound[1])


def start(ask: Ask) -> Dialogue:
    """Greet, log in when asked to, and have the errand relayed."""
    incoming = open_incoming()
    password = ask.secrets.get("password")
    yield Send(build_greeting(with_login=password is not None))
    chosen = yield from incoming.take(2)
    if chosen is None:
        return None
    method = parse_method(chosen)
    yield Reached(Depth.HELLO)
    greeted = SocksReply(method="user and password" if method == LOGIN else "no login")
    if method == NONE_ACCEPTABLE or (method == LOGIN and password is None):
        raise Refused("the proxy accepts none of our methods: it wants a login" if password is None else "no method")
    if not goes_to(ask, Depth.AUTH):
        return greeted
    if method == LOGIN:
        accepted = yield from _log_in(incoming, ask.params.get("user", "").encode(), password or b"")
        if not accepted:
            return None
        yield Reached(Depth.AUTH)
    if not goes_to(ask, Depth.DATA):
        return greeted
    return (yield from _relay(ask, incoming))


def _log_in(incoming: Incoming, user: bytes, password: bytes) -> Reading[bool]:
    """Log in; false if the proxy does not answer.

    Raises:
        Refused: it does not accept the login.
    """
    yield build_login(user, password)
    answer = yield from incoming.take(2)
    if answer is None:
        return False
    if answer[0] != 1:
        raise ProtocolError(f"not the answer to a SOCKS5 login: {answer.hex()}")
    if answer[1]:
        raise Refused(f"the proxy refuses the login (status {answer[1]})")
    return True


def _relay(ask: Ask, incoming: Incoming) -> Reading[Relayed | None]:
    """Have the errand relayed.

    Raises:
        Refused: the proxy does not connect to the destination.
    """
    errand = plan_errand(ask)
    yield Send(build_connect(errand.host, errand.port))
    code = yield from incoming.take_message(split_reply)
    if code is None:
        return None
    if code:
        raise Refused(f"the proxy says: {REPLIES.get(code, 'unknown reason')} (reply {code})")
    yield Send(errand.data)
    return (yield from read_answer(incoming, errand, wrap=Send))


def parse(text: str) -> Parsed:
    """Read `socks5://[user:password@]host[:port][?relay=host:port]`.

    Raises:
        ValueError: it is not such a link.
    """
    parsed = parse_login_link(
        text, default_port=1080, params=frozenset({"relay", "payload", "depth"}), secrets=frozenset({"password"})
    )
    check_depth(parsed.params.get("depth", ""))
    if "relay" in parsed.params:
        split_relay(parsed.params["relay"])
    if any(len(v.encode()) > 255 for v in (parsed.params.get("user", ""), *parsed.secrets.values())):
        raise ValueError("user and password have at most 255 bytes")
    return parsed


SPEC = DialogueSpec(
    name="socks5",
    question="Does a SOCKS5 proxy answer, and relay for us?",
    schemes=("socks5", "socks5h", "socks"),
    default_port=1080,
    stack=(Tcp(),),
    start=start,
    parse=parse,
    secrets=("password",),
    proves=Depth.VOLUME,
    open_proves=Depth.DATA,
)
