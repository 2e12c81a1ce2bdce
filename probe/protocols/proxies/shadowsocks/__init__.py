"""Shadowsocks of both editions, over TCP or UDP, with Outline's prefix or simple-obfs: does it relay for us?

Source: shadowsocks.org/doc/aead, SIP022, SIP002 (links), SIP003 (plugins). There is no question that a server answers
without the key: only relayed bytes prove anything, and then they prove all at once.
Readings: a wrong key is silence (libev, v2ray) or an immediate reset (sing-box, 2022); a 2022 server also resets a
clock that is more than 30 s off; a destination that the server cannot reach ends as a close after silence.
"""

from collections.abc import Mapping
from urllib.parse import unquote

from probe.model.errors import UserError
from probe.model.verdict import Depth
from probe.protocols.dialogue import Ask, Dialogue, DialogueSpec, Parsed, Reached, Receive, Send, Stack, Tcp, Udp
from probe.protocols.proxies.shadowsocks.aead import Edition2017
from probe.protocols.proxies.shadowsocks.edition_2022 import Edition2022, split_keys
from probe.protocols.proxies.shadowsocks.keys import KEY_BYTES, is_2022
from probe.protocols.proxies.simple_obfs import unwrap, wrap_first
from probe.protocols.proxies.socks_address import build_address
from probe.protocols.relayed import Errand, Relayed, open_incoming, plan_errand, read_answer, recognise
from probe.protocols.written.link import NotSpokenError, split_link
from probe.protocols.written.share_link import make_parsed, pick_params, read_base64

_UDP_WAITS_S = (1.0, 2.0, 4.0)
_PARAMS = frozenset({"method", "prefix", "obfs", "obfs-host", "proto"})
_OBFS_PLUGINS = frozenset({"obfs-local", "simple-obfs"})
_OTHER_PLUGINS = frozenset({"cloak", "ck-client", "gost-plugin", "kcptun", "shadow-tls", "v2ray-plugin", "xray-plugin"})
_OTHER_METHODS = frozenset(
    {"bf-cfb", "camellia-256-cfb", "chacha20", "chacha20-ietf", "none", "plain", "rc4-md5", "salsa20", "table"}
    | {f"aes-{bits}-{mode}" for bits in (128, 192, 256) for mode in ("cfb", "ctr", "ofb")}
    | {"xchacha20-ietf-poly1305", "xchacha20-poly1305"}
)
_SPELLINGS = {
    "chacha20-poly1305": "chacha20-ietf-poly1305",
    "aead_chacha20_poly1305": "chacha20-ietf-poly1305",
    "aead_aes_128_gcm": "aes-128-gcm",
    "aead_aes_256_gcm": "aes-256-gcm",
}
"""Names that other clients have for a method."""


def start(ask: Ask) -> Dialogue:
    """Send the errand in one flight and read what comes back.

    Raises:
        UserError: the method, key or prefix is none.
    """
    udp = ask.params.get("proto") == "udp"
    errand = plan_errand(ask, udp=udp)
    edition = _open_edition(ask)
    address = build_address(errand.host, errand.port)
    if udp:
        return (yield from _ask_udp(edition, address, errand, hide=not is_2022(ask.params["method"])))
    flight, data_at = edition.build_stream(address, errand.data), 0
    below = incoming = open_incoming(secret=not is_2022(ask.params["method"]))
    size = len(flight)
    if ask.params.get("obfs"):
        flight, data_at = wrap_first(ask, flight)
        incoming = unwrap(ask, below)
    # A password can be guessed from what it encrypts; the random keys of 2022 cannot.
    spans = () if is_2022(ask.params["method"]) else ((data_at + KEY_BYTES[ask.params["method"]], data_at + size),)
    yield Send(flight, secret_spans=spans)

    def add(data: bytes) -> Send:
        chunk = edition.build_more(data)
        return Send(chunk, secret_spans=((0, len(chunk)),) if spans else ())

    # What simple-obfs puts around a stream is spoken here for its first flight alone.
    wrap = None if ask.params.get("obfs") else add
    return (yield from read_answer(edition.read_stream(incoming), errand, wrap=wrap))


def _ask_udp(edition: Edition2017 | Edition2022, address: bytes, errand: Errand, *, hide: bool) -> Dialogue:
    """Ask up to three times, never with the same bytes: servers drop what they have seen."""
    for timeout_s in _UDP_WAITS_S:
        packet = edition.build_datagram(address, errand.data)
        yield Send(packet, secret_spans=((0, len(packet)),) if hide else ())
        answer = yield Receive(timeout_s, secret=hide)
        if answer:
            payload = edition.parse_datagram(answer)
            for depth in (Depth.HELLO, Depth.PROOF, Depth.AUTH):
                yield Reached(depth)
            relayed = Relayed(answer=recognise(payload, errand))
            yield Reached(Depth.DATA)
            return relayed
    return None


def _open_edition(ask: Ask) -> Edition2017 | Edition2022:
    method = ask.params.get("method", "")
    if method not in KEY_BYTES:
        raise UserError("ss", f"method {method[:40]!r} is not spoken here", f"choose from {', '.join(KEY_BYTES)}")
    try:
        prefix = bytes.fromhex(ask.params.get("prefix", ""))
    except ValueError:
        raise UserError("ss", "prefix is not hexadecimal", "write its bytes as in 160301") from None
    password = ask.secrets.get("password", b"")
    if is_2022(method):
        return Edition2022(method, password, ask.entropy, ask.wall_s, prefix)
    return Edition2017(method, password, ask.entropy, prefix)


def choose_stack(params: Mapping[str, str]) -> Stack:
    """Return datagrams for `proto=udp`."""
    return (Udp(),) if params.get("proto") == "udp" else (Tcp(),)


def parse(text: str) -> Parsed:
    """Read a SIP002 link, or the older kind that is base64 altogether.

    Raises:
        ValueError: it is neither; the message says what is wrong.
    """
    body, mark, label = text.strip().partition("://")[2].partition("#")
    if "@" not in body:
        try:
            body = read_base64(body.partition("?")[0].rstrip("/")).decode()
        except (ValueError, UnicodeDecodeError):
            raise ValueError("there is no @, and it is not base64 either") from None
    # Passwords of the older kind hold anything, also @: the last one is the separator.
    login, _, rest = body.rpartition("@")
    link = split_link(f"ss://{rest}{mark}{label}", 8388)
    method, password = _split_login(login)
    if method not in KEY_BYTES:
        named = f" {method}" if method in _OTHER_METHODS else ""
        raise NotSpokenError(f"its method{named} is not spoken here; AEAD ones are, aes-256-gcm for one, and 2022's")
    if is_2022(method):
        split_keys(method, password)
    params = (
        pick_params(link.params, _PARAMS - {"prefix"})
        | {"method": method}
        | _read_plugin(link.params.get("plugin", ""))
    )
    if "prefix" in link.params:
        params["prefix"] = _read_prefix(link.params["prefix"])
    return make_parsed(link, params, {"password": password})


def _split_login(login: str) -> tuple[str, str]:
    """Return method and password of `method:password`, percent-encoded or as base64."""
    if ":" not in login:
        plain = unquote(login)
        try:
            plain = plain if ":" in plain else read_base64(plain).decode()
        except (ValueError, UnicodeDecodeError):
            raise ValueError("the part before @ is not method:password, nor base64 of it") from None
    else:
        plain = unquote(login)
    method, colon, password = plain.partition(":")
    if not colon or not password:
        raise ValueError("there is no password before @")
    return _SPELLINGS.get(method.lower(), method.lower()), password


def _read_plugin(text: str) -> dict[str, str]:
    """Return the params of `obfs-local;obfs=tls;obfs-host=name`."""
    if not text:
        return {}
    name, *options = text.split(";")
    if name not in _OBFS_PLUGINS:
        named = f" {name}" if name in _OTHER_PLUGINS else ""
        raise NotSpokenError(f"its plugin{named} is not spoken here; obfs-local is")
    given = dict(option.partition("=")[::2] for option in options)
    if given.get("obfs") not in ("http", "tls"):
        raise ValueError("the plugin's obfs is http or tls")
    return {key: given[key] for key in ("obfs", "obfs-host") if given.get(key)}


def _read_prefix(text: str) -> str:
    """Return as hexadecimal the bytes that Outline writes as characters up to U+00FF."""
    try:
        return text.encode("latin-1").hex()
    except UnicodeEncodeError:
        raise ValueError("prefix has characters that are no bytes") from None


SPEC = DialogueSpec(
    name="shadowsocks",
    question="Does a Shadowsocks server relay for us?",
    schemes=("ss",),
    default_port=8388,
    stack=choose_stack,
    start=start,
    parse=parse,
    secrets=("password",),
    proves=Depth.VOLUME,
    open_proves=Depth.REACH,
)
