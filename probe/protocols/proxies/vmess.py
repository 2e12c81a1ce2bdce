"""VMess with AEAD headers, over TCP or TLS, bare or in a WebSocket: does it relay for us?

Source: see `vmess_header`; links are base64 of JSON after github.com/2dust/v2rayN (wiki, "分享链接格式说明 ver 2").
Readings: an unknown UUID is silence, the server reading on before it closes (v2ray), or a reset at once (sing-box); so
is a clock that is off by more than 120 s, and a request seen before. The answer proves server and user at once.
"""

import json

from probe.model.errors import UserError
from probe.model.verdict import Depth
from probe.protocols.dialogue import Ask, Dialogue, DialogueSpec, Parsed, Reached
from probe.protocols.proxies.carrier import choose_stack, open_carrier, read_carrier
from probe.protocols.proxies.vless import parse_uuid, read_user
from probe.protocols.proxies.vmess_header import SECURITIES, Body, BodyReader, Keys, build_request, read_response
from probe.protocols.relayed import plan_errand, read_answer, refuse_web_page
from probe.protocols.written.link import Link, NotSpokenError, split_link
from probe.protocols.written.share_link import make_parsed, pick_params, read_base64, unfold_rocket

_FIELDS = {"net": "type", "tls": "security", "sni": "sni", "host": "host", "path": "path", "alpn": "alpn"}
"""Names in the JSON of a link → names of params."""
_CIPHERS = {"chacha20-ietf-poly1305": "chacha20-poly1305"}
_TLS = {"true": "tls", "1": "tls", "false": "none", "0": "none"}
_PASSED_ON = ("insecure", "allowInsecure", "allow_insecure", "skip-cert-verify", "relay", "payload", "depth")


def start(ask: Ask) -> Dialogue:
    """Send header and errand in one flight and read what comes back.

    Raises:
        UserError: user, cipher or the relay's destination is none.
    """
    security = SECURITIES.get(ask.params.get("cipher", "auto"))
    if security is None:
        raise UserError("vmess", "its cipher is not spoken here", f"choose from {', '.join(SECURITIES)}")
    user, errand = read_user(ask), plan_errand(ask)
    carrier = yield from open_carrier(ask)
    if carrier is None:
        return None
    keys = Keys(security, ask.entropy(33))
    head = build_request(user, keys, errand.host, errand.port, wall_s=int(ask.wall_s), entropy=ask.entropy)
    sent = Body(security, keys.key, keys.vector)
    yield carrier.send(head + sent.seal(errand.data))
    if not (yield from refuse_web_page(carrier.incoming)):
        return None
    if not (yield from read_response(carrier.incoming, keys)):
        return None
    for depth in dict.fromkeys((*carrier.proven[:-1], Depth.PROOF, Depth.AUTH)):
        yield Reached(depth)
    body = BodyReader(carrier.incoming, Body(security, keys.answer_key, keys.answer_vector))
    return (yield from read_answer(body, errand, wrap=lambda data: carrier.send(sent.seal(data))))


def parse(text: str) -> Parsed:
    """Read `vmess://` and base64 of JSON, or the newer form that looks like VLESS's.

    Raises:
        ValueError: it is neither; the message says what is wrong.
    """
    text = unfold_rocket(text)
    if "@" in text.partition("#")[0]:
        link = split_link(text, 443)
        if link.password is not None:
            raise NotSpokenError("this older form of link is not read here")
        given, user, cipher = link.params, link.user or "", link.params.get("encryption", "auto")
    else:
        link, given, user, cipher = _read_json(text.strip().partition("://")[2])
    cipher = _CIPHERS.get(cipher, cipher)
    parse_uuid(user)
    if cipher not in SECURITIES:
        raise NotSpokenError(f"its cipher is not spoken here; {', '.join(SECURITIES)} are")
    params = read_carrier(given, security="none") | pick_params(given, frozenset()) | {"cipher": cipher}
    if params["security"] == "reality":
        raise NotSpokenError("VMess with REALITY is not spoken here")
    return make_parsed(link, params, {"uuid": user})


def _read_json(text: str) -> tuple[Link, dict[str, str], str, str]:
    """Return the endpoint, the params, the user and the cipher of a link's JSON."""
    try:
        fields = json.loads(read_base64(text.partition("#")[0].partition("?")[0]))
    except (ValueError, RecursionError):
        raise ValueError("after vmess:// there is no base64 of JSON") from None
    if not isinstance(fields, dict):
        raise ValueError("its JSON is no object")
    words = {key: str(value) for key, value in fields.items() if isinstance(value, str | int) and value != ""}
    # An alterId (`aid`) other than 0 once asked for a header without AEAD; servers have wanted AEAD since 2022, and
    # today's clients send it whatever the link says.
    host, port = words.get("add", "").strip(), words.get("port", "443").strip()
    if not host or any(c.isspace() for c in host):
        raise ValueError("there is no host (add)")
    if not port.isascii() or not port.isdigit():
        raise ValueError("its port is no number")
    words["tls"] = _TLS.get(words.get("tls", "").lower(), words.get("tls", ""))
    given = {name: words[key] for key, name in _FIELDS.items() if key in words} | {
        "headerType": words.get("type", "none")
    }
    given |= {key: words[key] for key in _PASSED_ON if key in words}
    link = Link(
        scheme="vmess",
        user=None,
        password=None,
        host=host,
        port=int(port[:6]),
        path="",
        params={},
        label=words.get("ps", ""),
    )
    return link, given, words.get("id", ""), words.get("scy", "auto")


SPEC = DialogueSpec(
    name="vmess",
    question="Does a VMess server relay for us?",
    schemes=("vmess",),
    default_port=443,
    stack=choose_stack,
    start=start,
    parse=parse,
    secrets=("uuid",),
    proves=Depth.VOLUME,
    open_proves=Depth.REACH,
)
