"""The proof that a scenario is what it claims: plain sockets, in the client, without Wallprobe.

Run in the client as `python -m probe.lab.proofs.selfcheck FILE`, with the symptoms as JSON; prints what each try met.
"""

import concurrent.futures
import errno
import importlib
import os
import select
import socket
import ssl
import sys
import time
from pathlib import Path
from typing import assert_never

import dns.exception
import dns.message
import dns.rcode
import msgspec

from probe.lab.proofs.host import try_host
from probe.lab.proofs.packets import PATIENCE_S, try_packets
from probe.lab.scenarios.model import (
    Ask,
    Greet,
    GreetQuic,
    Load,
    LookUp,
    Met,
    Negotiate,
    Outcome,
    Pile,
    Proxied,
    Reach,
    Resolve,
    SendHello,
    Speak,
    Symptom,
    Trial,
)

_BY_ERRNO = {
    errno.ECONNRESET: Outcome.RESET,
    errno.EPIPE: Outcome.RESET,
    errno.ECONNREFUSED: Outcome.REFUSED,
    errno.EHOSTUNREACH: Outcome.UNREACHABLE,
    errno.ENETUNREACH: Outcome.UNREACHABLE,
    errno.EACCES: Outcome.UNREACHABLE,
    errno.EMFILE: Outcome.NO_ROOM,
    errno.EADDRNOTAVAIL: Outcome.NO_ROOM,
    errno.EAGAIN: Outcome.NO_ROOM,
}


class Proof(msgspec.Struct, frozen=True, kw_only=True):
    """A symptom and whether the client met it."""

    symptom: Symptom
    met: tuple[Met, ...]

    @property
    def holds(self) -> bool:
        """Tell whether enough of the tries met what was said."""
        right = sum(one.outcome is self.symptom.outcome and not one.wrong for one in self.met)
        wanted = self.symptom.times if self.symptom.at_least is None else self.symptom.at_least
        return right >= wanted


def prove(symptom: Symptom) -> Proof:
    """Try as often as the symptom says, when it says."""
    if symptom.at_s:  # libfaketime refuses to wait at all where the clock is another
        time.sleep(symptom.at_s)
    return Proof(symptom=symptom, met=tuple(attempt(symptom.trial) for _ in range(symptom.times)))


def attempt(trial: Trial) -> Met:
    """Try once."""
    try:
        return _carry_out(trial)
    except ssl.SSLCertVerificationError:
        return Met(outcome=Outcome.BAD_CERTIFICATE)
    except ssl.SSLEOFError:
        return Met(outcome=Outcome.END)
    except TimeoutError:
        return Met(outcome=Outcome.SILENCE)
    except ssl.SSLError:
        return Met(outcome=Outcome.ALERT)
    except OSError as error:
        return Met(outcome=_BY_ERRNO.get(error.errno or 0, Outcome.SILENCE))


def _carry_out(trial: Trial) -> Met:
    match trial:
        case Resolve():
            return _resolve(trial)
        case Reach():
            with _connect(trial.address, trial.port):
                return Met(outcome=Outcome.OK)
        case Greet():
            with _connect(trial.address, trial.port) as raw, _shake(raw, trial.server_name):
                return Met(outcome=Outcome.OK)
        case Ask():
            return _ask(trial)
        case LookUp() | Proxied() | Pile():
            return try_host(trial)
        case Load():
            return _load(trial)
        case GreetQuic():
            from probe.lab.proofs.quic import greet_quic

            return greet_quic(trial, os.environ["SSL_CERT_FILE"])
        case Negotiate() | SendHello() | Speak():
            return try_packets(trial)
        case _:
            assert_never(trial)


def _connect(address: str, port: int) -> socket.socket:
    raw = socket.create_connection((address, port), PATIENCE_S)
    raw.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return raw


def _shake(raw: socket.socket, server_name: str) -> ssl.SSLSocket:
    return ssl.create_default_context().wrap_socket(raw, server_hostname=server_name)


def _read(stream: socket.socket, until_s: float) -> bytes:
    data = b""
    while (left_s := until_s - time.monotonic()) > 0:
        stream.settimeout(left_s)
        try:
            more = stream.recv(65536)
        except TimeoutError:
            break
        if not more:
            break
        data += more
    return data


def _ask(trial: Ask) -> Met:
    with _connect(trial.address, trial.port) as raw:
        raw.sendall(f"GET {trial.path} HTTP/1.1\r\nHost: {trial.host}\r\nConnection: close\r\n\r\n".encode())
        raw.settimeout(PATIENCE_S)
        first = raw.recv(65536)
        if not first:
            return Met(outcome=Outcome.END)
        data = first + _read(raw, time.monotonic() + 1.0)
    lacking = "" if trial.says in data.decode("latin-1") else f"{trial.says!r} is not in it: {data[:200]!r}"
    return Met(outcome=Outcome.OK, wrong=lacking)


def _load(trial: Load) -> Met:
    with _connect(trial.address, 443) as raw, _shake(raw, trial.server_name) as stream:
        request = f"GET {trial.path} HTTP/1.1\r\nHost: {trial.server_name}\r\nConnection: close\r\n\r\n"
        stream.sendall(request.encode())
        data = _read(stream, time.monotonic() + trial.within_s)
    wrong = ""
    if len(data) < trial.min_bytes or (trial.max_bytes is not None and len(data) > trial.max_bytes):
        wrong = f"{len(data)} bytes came"
    if trial.says not in data.decode("latin-1"):
        wrong = f"{trial.says!r} is not in it: {data[:200]!r}"
    return Met(outcome=Outcome.OK, wrong=wrong)


def _resolve(trial: Resolve) -> Met:
    query = dns.message.make_query(trial.name, trial.query_type)
    family = socket.AF_INET6 if ":" in trial.resolver else socket.AF_INET
    replies: list[dns.message.Message] = []
    with socket.socket(family, socket.SOCK_DGRAM) as asking:
        asking.connect((trial.resolver, 53))
        asking.send(query.to_wire())
        until_s = time.monotonic() + PATIENCE_S
        while (left_s := until_s - time.monotonic()) > 0 and select.select([asking], [], [], left_s)[0]:
            try:
                replies.append(dns.message.from_wire(asking.recv(65535), ignore_trailing=True))
            except dns.exception.DNSException:
                continue
            if len(replies) == 1:
                until_s = time.monotonic() + trial.hold_s
    if not replies:
        return Met(outcome=Outcome.SILENCE)
    first = replies[0]
    found = {str(r) for rrset in first.answer for r in rrset if rrset.rdtype in (1, 28)}
    different = {str(sorted(str(r) for rrset in reply.answer for r in rrset)) for reply in replies}
    wrong = ""
    if trial.addresses and found != set(trial.addresses):
        wrong = f"it says {sorted(found)}"
    if len(different) < trial.replies:
        wrong = f"{len(different)} different answers came"
    if first.rcode() == dns.rcode.NXDOMAIN:
        return Met(outcome=Outcome.NXDOMAIN, wrong=wrong)
    if first.rcode() != dns.rcode.NOERROR:
        return Met(outcome=Outcome.DNS_ERROR, wrong=wrong)
    return Met(outcome=Outcome.OK if found else Outcome.NO_ADDRESS, wrong=wrong)


def main() -> int:
    """Prove the symptoms in a file; the proofs go to stdout."""
    symptoms = msgspec.json.decode(Path(sys.argv[1]).read_bytes(), type=tuple[Symptom, ...])
    if any(isinstance(symptom.trial, GreetQuic) for symptom in symptoms):
        # Few scenarios need it, and it takes longer to import than all the rest: before the clock starts.
        importlib.import_module("probe.lab.proofs.quic")
    with concurrent.futures.ThreadPoolExecutor(max_workers=len(symptoms) or 1) as threads:
        proofs = tuple(threads.map(prove, symptoms))
    sys.stdout.buffer.write(msgspec.json.encode(proofs))
    return 0


if __name__ == "__main__":
    sys.exit(main())
