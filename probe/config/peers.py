"""The `peers:` part of the configuration: which other agents may ask this one for its view."""

import re

from probe.model.errors import UserError
from probe.model.settings import PeerSettings, TokenEntry, WebSettings
from probe.model.written import Written
from probe.protocols.written.fields import Fields

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}", re.ASCII).fullmatch
_SHA256 = re.compile(r"[0-9a-f]{64}", re.ASCII).fullmatch
_MAKE = "make one with: wallprobe control token --name NAME"


def read_peers(fields: Fields, web: WebSettings) -> PeerSettings:
    """Return who may ask; what is wrong with one entry is noted, and it is left out."""
    section = fields.mapping("peers")
    if section is None:
        return PeerSettings()
    default = PeerSettings()
    per_minute = section.decimal("per_minute", default.per_minute, low=0.1, high=1_000_000)
    tokens = (_read_token(item, section, per_minute) for item in section.items("tokens"))
    peers = PeerSettings(
        tokens=tuple(token for token in tokens if token is not None),
        client_certificates=section.truth("client_certificates", False),
        per_minute=per_minute,
    )
    if peers.client_certificates and not web.config_file:
        place = section.place(section.line_of("client_certificates"))
        what = "peers.client_certificates: the web server asks nobody for a certificate"
        section.errors.append(UserError(place, what, "name a client_ca_file in web.config_file"))
    section.finish()
    return peers


def _read_token(item: Written, fields: Fields, per_minute: float) -> TokenEntry | None:
    before = len(fields.errors)
    section = Fields(item, fields.file, fields.errors, "peers.tokens.")
    entry = TokenEntry(
        name=section.text("name"),
        sha256=section.text("sha256").lower(),
        per_minute=section.decimal("per_minute", per_minute, low=0.1, high=1_000_000),
    )
    if _SHA256(entry.sha256) is None or _NAME(entry.name) is None:
        fields.fail(item, "peers.tokens: a token needs a name and the sha256 of the token, 64 hex digits", _MAKE)
    section.finish()
    return entry if len(fields.errors) == before else None
