"""Reads `.ovpn` files as people have them: inline keys, several `remote` lines, `<connection>` blocks.

Source: openvpn-manual, "OPTIONS" and "INLINE FILE SUPPORT". Options that do not change the handshake are passed over.
Errors name lines and options, never values.
"""

import re

import msgspec

from probe.protocols.dialogue import Parsed
from probe.protocols.openvpn.data import DIGESTS
from probe.protocols.openvpn.framing import LEAST_FRAGMENT, choose_framing
from probe.protocols.openvpn.limits import NOT_SPOKEN, Part
from probe.protocols.openvpn.login import USUAL_CIPHERS
from probe.protocols.openvpn.words import split_words

_INLINE = {
    "ca": "ca", "cert": "cert", "key": "cert_key", "tls-auth": "key", "tls-crypt": "key", "tls-crypt-v2": "key",
    "auth-user-pass": "login", "pkcs12": "pkcs12",
}  # fmt: skip
"""What a block or a file option holds, by our names."""
_WRAPS = ("tls-auth", "tls-crypt", "tls-crypt-v2")
_CIPHERS = ("cipher", "data-ciphers", "ncp-ciphers", "data-ciphers-fallback")
_DEVICES = ("dev", "dev-type")
_COMPRESSIONS = ("comp-lzo", "compress")
_MOST_REMOTES = 64
_REMOTE = re.compile(r"^[ \t]*(?:--)?remote[ \t]+\S", re.MULTILINE).search
_OPTION = re.compile(
    r"^[ \t]*(?:--)?(?:client|tls-client|pull|nobind|auth-user-pass|resolv-retry|dev(?:-type)?[ \t]+t[au][pn]\w*|<ca>)",
    re.MULTILINE,
).search


class _Remote(msgspec.Struct, frozen=True, kw_only=True):
    host: str
    port: str = ""
    proto: str = ""
    no_hello: str = ""
    """An option of its own `<connection>` that is not spoken here."""
    fragment: str = ""


class _Reader:
    """Goes through the lines once."""

    def __init__(self) -> None:
        self.remotes: list[_Remote] = []
        self.port = "1194"
        self.proto = "udp"
        self.params: dict[str, str] = {}
        self.secrets: dict[str, str] = {}
        self.files: dict[str, str] = {}
        self.ciphers: dict[str, None] = {}
        """Those that a client offers only where its file names them, spoken here or not; in their order."""

    def read(self, text: str) -> None:
        block = ""
        kept: list[str] = []
        connection: dict[str, str] | None = None
        for number, raw in enumerate(text.splitlines(), 1):
            line = raw.strip()
            if block:
                if line.startswith(f"</{block}>"):
                    self._close(block, "\n".join(kept) + "\n")
                    block = ""
                else:
                    kept.append(raw)
                continue
            if line.startswith("</connection>") and connection is not None:
                if connection.get("host"):
                    self.remotes.append(msgspec.convert(connection, _Remote))
                connection = None
                continue
            words = split_words(line, number)
            if words[:2] == ["setenv", "opt"]:  # an option that clients which do not know it pass over
                del words[:2]
            tag = words[0][1:-1] if len(words) == 1 and _is_tag(words[0]) else ""
            if tag == "connection":
                connection = {}
            elif tag:
                block, kept = tag, []
            elif words:
                self._option(words, connection)
        if block or connection is not None:
            known = block in _INLINE or block in NOT_SPOKEN or not block
            raise ValueError(f"<{block or 'connection'}> is not closed" if known else "a block in <> is not closed")

    def _close(self, block: str, content: str) -> None:
        if block in _INLINE:
            self.secrets[_INLINE[block]] = content
            if block in _WRAPS:
                self.params["wrap"] = block
        elif block in NOT_SPOKEN:
            self.params[NOT_SPOKEN[block]] = block
        elif block == "peer-fingerprint":
            for line in content.splitlines():
                self._pin(line.partition("#")[0])

    def _option(self, words: list[str], connection: dict[str, str] | None) -> None:
        name, rest = words[0].lstrip("-"), words[1:]
        value = rest[0] if rest else ""
        if name == "remote" and value:
            found = {"host": value, "port": "", "proto": ""}
            found |= dict(zip(("port", "proto"), rest[1:3], strict=False))
            if connection is not None:
                connection.update({key: word for key, word in found.items() if word})
            else:
                self.remotes.append(msgspec.convert(found, _Remote))
        elif name in ("port", "rport", "proto"):
            key = "proto" if name == "proto" else "port"
            if connection is not None:
                connection[key] = value
            else:
                setattr(self, key, value)
        elif name == "key-direction":
            self._direction(value)
        elif name == "auth" and value:
            self.params["auth"] = value.lower().removeprefix("rsa-")
        elif name == "peer-fingerprint" and value != "[inline]":
            self._pin(value)
        elif name in _INLINE:
            self._file(name, rest)
        elif connection is not None and NOT_SPOKEN.get(name) is Part.HELLO:
            connection[Part.HELLO.value] = name
        elif connection is not None and name == "fragment" and _is_fragment(value):
            connection[name] = "1"
        else:
            self._inside(name, value)

    def _inside(self, name: str, value: str) -> None:
        """Read an option that concerns the login or the tunnel."""
        if name in NOT_SPOKEN:
            self.params.setdefault(NOT_SPOKEN[name], name)
        elif name in _DEVICES and value.startswith("tap"):
            self.params["dev"] = "tap"
        elif name in _CIPHERS and value:
            self._cipher(name, value.upper())
        elif name in _COMPRESSIONS:
            self._compress(name, value)
        elif name == "fragment" and _is_fragment(value):
            self.params["fragment"] = "1"
        elif name == "fragment":
            self.params.setdefault(Part.DATA, name)

    def _file(self, name: str, rest: list[str]) -> None:
        if name in _WRAPS:
            self.params["wrap"] = name
            if name == "tls-auth" and len(rest) > 1:
                self._direction(rest[1])
        if name == "auth-user-pass":
            self.params["asks"] = "password"
        if rest and rest[0] != "[inline]":
            self.files[_INLINE[name]] = rest[0]

    def _cipher(self, option: str, value: str) -> None:
        # Servers that push none use what the file says; the newer option counts before the older.
        if option == "data-ciphers-fallback" or (option == "cipher" and "cipher" not in self.params):
            self.params["cipher"] = value
        self.ciphers |= dict.fromkeys(name for name in value.split(":") if name not in USUAL_CIPHERS)

    def _compress(self, option: str, value: str) -> None:
        framing = choose_framing(option, value)
        if framing is None:
            self.params.setdefault(Part.DATA, option)
        elif framing:
            self.params["compress"] = framing.value

    def _pin(self, text: str) -> None:
        digest = text.strip().replace(":", "").lower()
        if digest:
            if len(digest) != 64 or not set(digest) <= set("0123456789abcdef"):
                raise ValueError("a peer-fingerprint is no SHA-256 in hexadecimal")
            known = self.params.get("peer_fingerprint", "")
            self.params["peer_fingerprint"] = f"{known},{digest}" if known else digest

    def _direction(self, value: str) -> None:
        if value not in ("0", "1"):
            raise ValueError("key-direction is neither 0 nor 1")
        self.params["direction"] = value


def _is_tag(word: str) -> bool:
    return word.startswith("<") and word.endswith(">") and not word.startswith("</")


def _is_fragment(value: str) -> bool:
    return value.isdecimal() and int(value[:6]) >= LEAST_FRAGMENT


def is_config(text: str) -> bool:
    """Tell whether a text is a client's file: it names a server, and something that only OpenVPN knows."""
    return _REMOTE(text) is not None and _OPTION(text) is not None


def parse_config(text: str) -> tuple[Parsed, ...]:
    """Read a file: one endpoint for each `remote`.

    Raises:
        ValueError: it is no client's file.
    """
    reader = _Reader()
    reader.read(text)
    if not reader.remotes:
        raise ValueError("there is no `remote` line, so nothing to connect to")
    auth = reader.params.get("auth", "sha1")
    if reader.params.get("wrap") == "tls-auth" and auth not in DIGESTS:
        raise ValueError("auth names a digest that is not known here")
    if "wrap" in reader.params and "key" not in reader.secrets and "key" not in reader.files:
        raise ValueError(f"{reader.params['wrap']} has no key")
    return tuple(_endpoint(reader, remote) for remote in reader.remotes[:_MOST_REMOTES])


def _endpoint(reader: _Reader, remote: _Remote) -> Parsed:
    port = remote.port or reader.port
    if not port.isascii() or not port.isdigit() or not 0 < int(port) < 65536:
        raise ValueError("a port is no number from 1 to 65535")
    proto = "tcp" if (remote.proto or reader.proto).startswith("tcp") else "udp"
    wrap = reader.params.get("wrap", "none")
    params = {"proto": proto, "wrap": wrap}
    kept = ["peer_fingerprint", "cipher", "compress", "fragment", "dev", *Part]
    if wrap == "tls-auth":
        kept += ["auth", "direction"]
    if reader.ciphers:
        kept.append("auth")
        params["ciphers"] = ":".join(reader.ciphers)
    if not {"cert", "pkcs12"}.isdisjoint(reader.secrets | reader.files):
        kept.append("asks")  # who has a certificate could log in without the password, and would be refused
    params |= {key: reader.params[key] for key in kept if key in reader.params}
    if remote.fragment:
        params["fragment"] = remote.fragment
    if remote.no_hello:
        params[Part.HELLO.value] = remote.no_hello
    files = {name: path for name, path in reader.files.items() if name not in reader.secrets}
    return Parsed(host=remote.host, port=int(port), params=params, secrets=reader.secrets, files=files)
