"""What VPN gateways that speak HTTP inside TLS have in common: the channel below, what proves it, a turn, an XML.

A gateway's certificate is held against its name, or, where it made that certificate itself, against the hash of its
public key: `pin=pin-sha256:…` as openconnect's `--servercert` writes it, or that hash in hexadecimal. `insecure=1`
asks neither and proves nothing. Source: RFC 7469 section 2.4 for the hash (of SubjectPublicKeyInfo).
XML comes from strangers: document types, which can name files and grow without end, are refused unread.
"""

import base64
import binascii
from collections.abc import Callable, Mapping
from xml.etree import ElementTree

from probe.model.errors import ProtocolError
from probe.model.verdict import Depth
from probe.protocols.dialogue import Ask, Dialogue, DialogueSpec, Parsed, Reached, Stack, Tcp, Tls
from probe.protocols.http.http1 import ResponseReader
from probe.protocols.incoming import Reading
from probe.protocols.tls.certificate import parse_certificate
from probe.protocols.written.link import parse_login_link
from probe.protocols.written.share_link import is_true

_PARAMS = frozenset({"sni", "pin", "insecure"})
_PIN_HEX = 64


def choose_stack(params: Mapping[str, str]) -> Stack:
    """Return TLS without ALPN, which these clients do not send; a pin takes the place of the roots."""
    return (Tcp(), Tls(verify=not params.get("pin") and not is_true(params.get("insecure", ""))))


def read_pin(text: str) -> str:
    """Return the hash of a pin in hexadecimal.

    Raises:
        ValueError: it is no pin.
    """
    plain = text.removeprefix("pin-sha256:").removeprefix("sha256:")
    try:
        if len(plain) == _PIN_HEX:
            return bytes.fromhex(plain).hex()
        # Base64 has plus signs, and reading a link made blanks of them.
        digest = base64.b64decode(plain.replace(" ", "+"), validate=True)
    except (binascii.Error, ValueError):
        digest = b""
    if len(digest) * 2 != _PIN_HEX:
        raise ValueError("pin is written pin-sha256:BASE64, the hash of the certificate's public key")
    return digest.hex()


def parse_gateway(text: str, *, params: frozenset[str] = frozenset(), login: bool = False) -> Parsed:
    """Read `SCHEME://[user:password@]host[:port][?sni=…&pin=…&insecure=1]`.

    Raises:
        ValueError: it is not that; the message says what is wrong.
    """
    known = _PARAMS | params
    parsed = parse_login_link(text, default_port=443, params=known, secrets=frozenset({"password"} if login else ()))
    if not login and ("user" in parsed.params or parsed.secrets):
        raise ValueError("a user name or password has no place in it")
    if "pin" in parsed.params:
        read_pin(parsed.params["pin"])
    return parsed


def build_spec(name: str, question: str, start: Callable[[Ask], Dialogue]) -> DialogueSpec:
    """Return the spec of a gateway that greets anybody and whose login is not spoken here: `NAME://host[:port]`."""
    return DialogueSpec(
        name=name,
        question=question,
        schemes=(name,),
        default_port=443,
        stack=choose_stack,
        start=start,
        parse=parse_gateway,
        proves=Depth.PROOF,
        open_proves=Depth.PROOF,
    )


def prove(ask: Ask) -> Reading[None]:
    """Say `proof` where the layer below, or the pin, shows who answers.

    Raises:
        ProtocolError: another key than the pinned one answers.
    """
    pin = ask.params.get("pin", "")
    if pin:
        seen = parse_certificate(ask.certificate).public_key_sha256
        if seen != read_pin(pin):
            raise ProtocolError(f"not the pinned key: {seen}")
    elif is_true(ask.params.get("insecure", "")):
        return
    yield Reached(Depth.PROOF)


def authority(ask: Ask) -> str:
    """Return the value of `Host`."""
    host = ask.params.get("sni") or ask.host
    host = f"[{host}]" if ":" in host else host
    return host if ask.port == 443 else f"{host}:{ask.port}"


def not_ours(what: str, response: ResponseReader) -> ProtocolError:
    """Return what to raise about a web server that is no such gateway."""
    return ProtocolError(f"a web server answers {response.status}, no {what}: {response.body[:32].hex()}")


def parse_xml(body: bytes) -> ElementTree.Element:
    """Read a document.

    Raises:
        ProtocolError: it is none, or has a document type.
    """
    try:
        text = body.decode("utf-8")
        if "<!DOCTYPE" in text or "<!ENTITY" in text:
            raise ValueError("a document type")
        return ElementTree.fromstring(text)
    except (ValueError, ElementTree.ParseError) as error:
        raise ProtocolError(f"not the XML that was asked for ({str(error)[:60]}): {body[:32].hex()}") from None


def text_of(element: ElementTree.Element, path: str) -> str:
    """Return the text of the first such element, on one line and short enough to be shown; empty = there is none."""
    return " ".join((element.findtext(path) or "").split())[:120]
