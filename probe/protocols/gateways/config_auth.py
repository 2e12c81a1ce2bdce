"""AnyConnect's questions and answers as XML: a form, what was filled in, and the word that it was enough.

Source: draft-mavrogiannopoulos-openconnect-04 section 2.1 (authentication). Cisco's own servers add an `opaque`
element that must come back as it was, and lists to choose a group from.
"""

from collections.abc import Mapping
from xml.etree import ElementTree

import msgspec

from probe.model.errors import ProtocolError
from probe.protocols.gateways.tls_gateway import parse_xml, text_of

_HEAD = b'<?xml version="1.0" encoding="UTF-8"?>\n'
_CLIENT_VERSION = "4.10.08029"
_MOST_FIELDS = 64
_WANTS = {
    "client-cert-request": "a certificate of ours",
    "sso-v2-login": "a login in a browser (single sign-on)",
    "sso-login": "a login in a browser (single sign-on)",
}
"""Elements that Cisco's gateways say this with (as openconnect's auth.c reads them)."""


class FormField(msgspec.Struct, frozen=True, kw_only=True):
    """One thing that is asked for."""

    kind: str
    """`text`, `password`, `hidden`, `select` …"""
    name: str
    value: str = ""
    """What is filled in already; of a list the first choice."""


class Question(msgspec.Struct, frozen=True, kw_only=True):
    """What the gateway says."""

    complete: bool
    """It wants no more."""
    server: str
    """The version that it gives itself."""
    message: str
    error: str
    action: str
    fields: tuple[FormField, ...]
    opaque: bytes
    wants: str = ""
    """What it wants beside any form: a certificate of ours, or a login in a browser."""


def build_init(url: str) -> bytes:
    """Return the first request."""
    root = _open("init")
    ElementTree.SubElement(root, "group-access").text = url
    return _render(root)


def build_reply(question: Question, filled: Mapping[str, str]) -> bytes:
    """Return the answers to a question; a list called `group_list` is answered beside the others."""
    root = _open("auth-reply")
    if question.opaque:
        root.append(ElementTree.fromstring(question.opaque))
    auth = ElementTree.SubElement(root, "auth")
    for name, value in filled.items():
        if name == "group_list":
            ElementTree.SubElement(root, "group-select").text = value
        else:
            ElementTree.SubElement(auth, name).text = value
    return _render(root)


def parse_question(body: bytes) -> Question:
    """Read what the gateway says.

    Raises:
        ProtocolError: it is no `config-auth`.
    """
    root = parse_xml(body)
    if root.tag != "config-auth":
        raise ProtocolError(f"not config-auth: {body[:32].hex()}")
    form = root.find(".//form")
    opaque = root.find("opaque")
    return Question(
        complete=root.get("type") == "complete",
        server=text_of(root, "version"),
        message=text_of(root, ".//message"),
        error=text_of(root, ".//error"),
        action=(form.get("action") or "") if form is not None else "",
        fields=_read_fields(form) if form is not None else (),
        opaque=ElementTree.tostring(opaque) if opaque is not None else b"",
        wants=next((words for path, words in _WANTS.items() if root.find(f".//{path}") is not None), ""),
    )


def _read_fields(form: ElementTree.Element) -> tuple[FormField, ...]:
    fields: list[FormField] = []
    for element in form.iter():
        if element.tag == "input":
            kind, value = element.get("type") or "text", element.get("value") or ""
        elif element.tag == "select":
            option = element.find("option")
            kind, value = "select", "" if option is None else option.get("value") or option.text or ""
        else:
            continue
        name = element.get("name") or ""
        # The answer has an element of this name, so it must be fit for one.
        if name.replace("-", "_").isidentifier() and len(fields) < _MOST_FIELDS:
            fields.append(FormField(kind=kind, name=name, value=value))
    return tuple(fields)


def _open(kind: str) -> ElementTree.Element:
    attributes = {"client": "vpn", "type": kind, "aggregate-auth-version": "2"}
    root = ElementTree.Element("config-auth", attributes)
    ElementTree.SubElement(root, "version", {"who": "vpn"}).text = _CLIENT_VERSION
    ElementTree.SubElement(root, "device-id").text = "linux-64"
    return root


def _render(root: ElementTree.Element) -> bytes:
    return _HEAD + ElementTree.tostring(root)
