"""What to say when an agent could not be asked: which of many reasons it was, and what helps."""

import os
import socket
import ssl
from http import HTTPStatus

import aiohttp

from probe.cli.contact import PASSWORD, Contact
from probe.model.errors import UserError


def explain(contact: Contact, error: Exception) -> UserError:
    """Return what to do about an agent that could not be asked; neither password nor key is in it."""
    where = contact.url
    if isinstance(error, aiohttp.ClientResponseError):
        match error.status:
            case HTTPStatus.UNAUTHORIZED if contact.user:
                return UserError(where, f"does not let {contact.user} in", "check user and password")
            case HTTPStatus.UNAUTHORIZED:
                return UserError(where, "asks for a user", f"give --user, and its password in ${PASSWORD}")
            case HTTPStatus.TOO_MANY_REQUESTS:
                return UserError(where, "its rate_limit is used up", "ask less often: --every 30")
            case status:
                return UserError(where, f"answers {status}", "is it an agent, and its whole address?")
    if isinstance(error, aiohttp.ClientConnectorCertificateError | ssl.SSLCertVerificationError):
        reason = getattr(getattr(error, "certificate_error", error), "verify_message", "") or "not trusted"
        remedy = "give its authority with --ca-file, and --server-name if it goes by another name there"
        return UserError(where, f"its certificate is not accepted: {reason}", remedy)
    if isinstance(error, aiohttp.ServerDisconnectedError | ConnectionError) and contact.trust and not contact.certified:
        # With TLS 1.3 the refusal comes after the handshake, and aiohttp passes on no more than that it was the end.
        what = "ends the connection: maybe it asks for a client's certificate"
        return UserError(where, what, "give --cert-file and --key-file")
    return UserError(where, f"no agent answers ({_say(error)})", "start `wallprobe run`, or give --url")


def _say(error: Exception) -> str:
    """Return what went wrong in the system's words; aiohttp's repeat the address and what its arguments were."""
    cause = getattr(error, "os_error", None) or error
    if isinstance(cause, socket.gaierror):
        return "its name has no address here"
    if isinstance(cause, TimeoutError):
        return "nothing came in time"
    if isinstance(cause, OSError) and cause.errno:
        return os.strerror(cause.errno).lower()
    return str(error) or type(error).__name__
