"""What Amnezia's client hands on as `vpn://…` or a file with that in it: base64 of JSON, most often compressed by Qt.

Source: github.com/amnezia-vpn/amnezia-client (`qCompress`: four bytes of length, then zlib, RFC 1950), and what its
exports hold: `containers`, each with a protocol whose `last_config` is JSON again, with the file of that protocol's
client in `config`, or Xray's settings themselves. Of what is disguised by a second program nothing can be asked.
"""

import json
import zlib
from collections.abc import Iterator

from probe.protocols.written.link import NotSpokenError
from probe.protocols.written.share_link import read_base64

SCHEME = "vpn"
_MOST_BYTES = 1 << 20
_LENGTH_BYTES = 4
_DISGUISED = ("cloak", "shadowsocks")
"""OpenVPN's files of these containers name the program beside it, not a server."""
_REMEDY = "export the connection as an AmneziaWG, WireGuard, OpenVPN or Xray file"


def is_amnezia(text: str) -> bool:
    """Tell whether a line is such a link."""
    return text.lstrip()[: len(SCHEME) + 3].lower() == f"{SCHEME}://"


def unpack_amnezia(link: str) -> tuple[str, ...]:
    """Return the texts of the clients' files that a link holds.

    Raises:
        NotSpokenError: there is none that can be used.
    """
    fields = _read(link.strip()[len(SCHEME) + 3 :])
    containers = fields.get("containers")
    texts = tuple(_texts(containers)) if isinstance(containers, list) else ()
    if not texts and ("api_key" in fields or "api_config" in fields or "auth_data" in fields):
        raise NotSpokenError("vpn:// of this kind names no server: its client is given one", _REMEDY)
    if not texts:
        raise NotSpokenError("vpn:// holds no connection that can be read", _REMEDY)
    return texts


def _read(text: str) -> dict[str, object]:
    try:
        data = read_base64(text)
        if not data.startswith(b"{"):
            expander = zlib.decompressobj()
            data = expander.decompress(data[_LENGTH_BYTES:], _MOST_BYTES)
        fields = json.loads(data)
    except (ValueError, RecursionError, zlib.error):
        raise NotSpokenError("vpn:// is followed by what is no export of Amnezia", _REMEDY) from None
    return fields if isinstance(fields, dict) else {}


def _texts(containers: list[object]) -> Iterator[str]:
    for container in containers:
        if not isinstance(container, dict):
            continue
        if any(word in str(container.get("container", "")).lower() for word in _DISGUISED):
            continue
        for protocol in container.values():
            last = protocol.get("last_config") if isinstance(protocol, dict) else None
            if isinstance(last, str):
                yield from _client_file(last)


def _client_file(last: str) -> Iterator[str]:
    try:
        fields = json.loads(last)
    except (ValueError, RecursionError):
        return
    if not isinstance(fields, dict):
        return
    if isinstance(fields.get("outbounds"), list):
        yield last
    elif isinstance(fields.get("config"), str):
        yield fields["config"]
