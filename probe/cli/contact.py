"""How a running agent is spoken to: where it is, by which certificate it is known, and as whom one comes.

An agent at an address of its own (`--url`) is known by an authority, as any server is. The agent of this machine is
known by its own certificate, which stands in the file of `web.config_file`: that one and no other, whatever names it
bears. Passwords come from a file, the environment or a credential of systemd, never from the command line, which
everybody on the machine can read.
"""

import ssl
from collections.abc import Callable
from pathlib import Path
from urllib.parse import SplitResult, urlsplit

import msgspec
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from probe.model.errors import UserError
from probe.model.settings import Settings
from probe.targets.secret_places import read_place
from probe.web.listen import is_loopback
from probe.web.tls import no_password, why_unusable
from probe.web.web_config import TlsServer, load_web_config

PASSWORD = "WALLPROBE_PASSWORD"
_LONGEST_PASSWORD_BYTES = 4096

Trust = Callable[[], ssl.SSLContext]


class Visitor(msgspec.Struct, frozen=True, kw_only=True):
    """As whom one comes; all of it may be empty."""

    user: str = ""
    password_file: str = ""
    """A path, `env:NAME` or `credential:NAME`; empty = $WALLPROBE_PASSWORD."""
    cert_file: str = ""
    key_file: str = ""
    ca_file: str = ""
    server_name: str = ""
    """The name that the agent's certificate must bear, where it is not the URL's."""


class Contact(msgspec.Struct, frozen=True, kw_only=True):
    """A way to an agent."""

    url: str
    user: str = ""
    password: str = ""
    trust: Trust | None = None
    """Makes the context for one look: certificates change while we look on. `None` = no TLS."""
    server_name: str | None = None
    certified: bool = False
    """Whether a certificate of our own is shown."""


def reach(url: str, visitor: Visitor, web_config: str = "") -> Contact:
    """Return the way to an agent at a URL; where its `web.config_file` is here, its own certificate is known by that.

    Raises:
        UserError: the URL, a file, the certificates or the password cannot be used.
    """
    parts = _split(url)
    if visitor.user and parts.scheme == "http" and not _stays_here(parts.hostname or ""):
        what, remedy = "the password would go through the network in the clear", "use https, or an ssh tunnel"
        raise UserError(f"--url {url}", what, remedy)
    contact = Contact(
        url=url.rstrip("/"),
        user=visitor.user,
        password=read_password(visitor),
        server_name=visitor.server_name or None,
        certified=bool(visitor.cert_file),
    )
    if parts.scheme == "http":
        return contact
    tls = load_web_config(web_config).tls_server_config if web_config and not visitor.ca_file else None
    if tls is None:
        context = _trust_roots(visitor)
        return msgspec.structs.replace(contact, trust=lambda: context)
    folder, where = Path(web_config).parent, f"web.config_file {web_config}"
    _trust_own(tls, folder, visitor, where)
    return msgspec.structs.replace(contact, trust=lambda: _trust_own(tls, folder, visitor, where))


def reach_own(settings: Settings, visitor: Visitor) -> Contact:
    """Return the way to the agent of this configuration on this machine.

    Raises:
        UserError: as for `reach`.
    """
    file = settings.web.config_file
    secure = bool(file) and load_web_config(file).tls_server_config is not None
    return reach(guess_url(settings, secure=secure), visitor, file)


def guess_url(settings: Settings, *, secure: bool) -> str:
    """Return where the agent of this configuration can be reached from this machine."""
    host, _, port = (settings.web.listen or ("127.0.0.1:9785",))[0].rpartition(":")
    place = "127.0.0.1" if host in ("", "0.0.0.0") else "[::1]" if host == "[::]" else host
    return f"{'https' if secure else 'http'}://{place}:{port}{settings.web.route_prefix}"


def _trust_own(tls: TlsServer, folder: Path, visitor: Visitor, where: str) -> ssl.SSLContext:
    """Return a context that knows the certificate of this file, and no other.

    Raises:
        UserError: it cannot be read.
    """
    try:
        text = tls.cert.encode() or (folder / tls.cert_file).read_bytes()
        own = x509.load_pem_x509_certificates(text)[0].public_bytes(Encoding.PEM).decode()
    except (OSError, ValueError) as error:
        what = f"the certificate cannot be read ({why_unusable(error)})"
        raise UserError(where, what, "check the file and its rights") from None
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
    context.load_verify_locations(cadata=own)
    return _show_certificate(context, visitor)


def _trust_roots(visitor: Visitor) -> ssl.SSLContext:
    try:
        context = ssl.create_default_context(cafile=visitor.ca_file or None)
    except (OSError, ValueError) as error:
        where = f"--ca-file {visitor.ca_file}"
        what = f"cannot be used ({why_unusable(error)})"
        raise UserError(where, what, "give a file of certificates") from None
    return _show_certificate(context, visitor)


def _show_certificate(context: ssl.SSLContext, visitor: Visitor) -> ssl.SSLContext:
    """Have the visitor's own certificate shown to an agent that asks for one."""
    if visitor.cert_file:
        try:
            context.load_cert_chain(visitor.cert_file, visitor.key_file or None, password=no_password)
        except (OSError, ValueError) as error:
            where, what = f"--cert-file {visitor.cert_file}", f"cannot be used ({why_unusable(error)})"
            raise UserError(where, what, "give certificate and key, unencrypted") from None
    elif visitor.key_file:
        raise UserError("--key-file", "there is no --cert-file", "give both, or one file with both in --cert-file")
    return context


def read_password(visitor: Visitor) -> str:
    """Return the visitor's password; empty without a user.

    Raises:
        UserError: there is a user and no password, or a password and no user, or it cannot be read.
    """
    if not visitor.user:
        if visitor.password_file:
            raise UserError("--password-file", "nobody is named that it belongs to", "give --user too")
        return ""
    place = visitor.password_file or f"env:{PASSWORD}"
    try:
        found = read_place(place)
    except UserError as error:
        if visitor.password_file:
            raise
        remedy = f"export {PASSWORD}, or give --password-file"
        raise UserError("--user", f"no password in ${PASSWORD}", remedy) from error
    try:
        password = found[:_LONGEST_PASSWORD_BYTES].decode().partition("\n")[0].rstrip("\r")
    except UnicodeDecodeError:
        password = ""
    if not password:
        raise UserError(place, "has no password in its first line", "write it there, and nothing else")
    return password


def _split(url: str) -> SplitResult:
    """Take a URL apart.

    Raises:
        UserError: it is none of an agent, or bears a password, which would stand in the list of processes.
    """
    try:
        parts = urlsplit(url)
        host, _port = parts.hostname, parts.port
    except ValueError:
        host = None
    if not host or parts.scheme not in ("http", "https") or parts.query or parts.fragment:
        raise UserError("--url", "is no address of an agent", "write it as https://vantage.example:9785")
    if "@" in parts.netloc:
        remedy = f"give --user, and the password in ${PASSWORD} or --password-file"
        raise UserError("--url", "a user or password does not belong there: others can read it", remedy)
    return parts


def _stays_here(host: str) -> bool:
    return host == "localhost" or is_loopback(host)
