"""Proofs by packets made by hand: tunnels that begin, hellos of odd shapes, versions that nobody has."""

import os
import random
import socket
import struct
from typing import assert_never

from probe.lab.censor.signatures import Signature
from probe.lab.proofs.first_packets import (
    add_extensions,
    build_hello,
    build_ike_init,
    build_openvpn_reset,
    build_wireguard_initiation,
)
from probe.lab.scenarios.model import Met, Negotiate, Outcome, SendHello, Speak

PATIENCE_S = 1.2
"""After so long a silence is one; every true answer of the lab comes sooner."""
LIKE_NOISE = random.Random(7).randbytes(200)
"""Bytes that look fully encrypted, always the same: by chance a few others would not."""
_UNKNOWN_VERSION = 0x1A2A3A4A
"""One of those that are kept free for just this (RFC 9000 section 15)."""


def try_packets(trial: Negotiate | SendHello | Speak) -> Met:
    """Carry out one of these trials.

    Raises:
        OSError: the network says no, or nothing.
    """
    match trial:
        case Negotiate():
            return _negotiate(trial)
        case SendHello():
            return _send_hello(trial)
        case Speak():
            return _speak(trial)
        case _:
            assert_never(trial)


def _negotiate(trial: Negotiate) -> Met:
    """Send a long header of an unknown version, as large as a first packet, and read the versions offered."""
    ours, theirs = os.urandom(8), os.urandom(8)
    head = b"\xc0" + struct.pack("!IB8sB8s", _UNKNOWN_VERSION, 8, theirs, 8, ours)
    with _open_datagrams(trial.address, trial.port) as asking:
        asking.send(head + bytes(1200 - len(head)))
        answer = asking.recv(2048)
    expected = bytes(4) + b"\x08" + ours + b"\x08" + theirs
    wrong = "" if answer[1 : 1 + len(expected)] == expected else f"no version negotiation: {answer[:40].hex()}"
    return Met(outcome=Outcome.OK, wrong=wrong)


def _send_hello(trial: SendHello) -> Met:
    """Send the hello and read what comes."""
    hello = add_extensions(build_hello(trial.server_name), trial.extensions, padding=trial.padding)
    with socket.create_connection((trial.address, trial.port), PATIENCE_S) as stream:
        stream.sendall(hello)
        answer = stream.recv(4096)
    if not answer:
        return Met(outcome=Outcome.END)
    return Met(outcome=Outcome.OK, wrong="" if answer[0] in (0x15, 0x16) else f"no record: {answer[:20].hex()}")


def _speak(trial: Speak) -> Met:
    """Say the first packet and then data, until all is answered or an answer fails to come."""
    answers = 0
    try:
        with _open(trial) as stream:
            for number in range(1 + trial.data_packets):
                stream.send(_build_first(trial) if number == 0 else f"data {number}".encode())
                if not stream.recv(4096):
                    return Met(outcome=Outcome.END, wrong=_miscount(trial, answers))
                answers += 1
    except TimeoutError:
        return Met(outcome=Outcome.SILENCE, wrong=_miscount(trial, answers))
    except ConnectionResetError:
        return Met(outcome=Outcome.RESET, wrong=_miscount(trial, answers))
    return Met(outcome=Outcome.OK, wrong=_miscount(trial, answers))


def _miscount(trial: Speak, answers: int) -> str:
    return "" if trial.answers in (None, answers) else f"{answers} answers came"


def _build_first(trial: Speak) -> bytes:
    if trial.signature is Signature.OPENVPN:
        reset = build_openvpn_reset(os.urandom(8))
        return struct.pack("!H", len(reset)) + reset if trial.over_tcp else reset
    if trial.signature is Signature.WIREGUARD:
        return build_wireguard_initiation(os.urandom(144))
    if trial.signature is Signature.IKEV2:
        return build_ike_init(b"\x01" + os.urandom(7))
    return trial.text.encode() or LIKE_NOISE


def _open(trial: Speak) -> socket.socket:
    if trial.over_tcp:
        return socket.create_connection((trial.address, trial.port), PATIENCE_S)
    return _open_datagrams(trial.address, trial.port)


def _open_datagrams(address: str, port: int) -> socket.socket:
    datagrams = socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET, socket.SOCK_DGRAM)
    datagrams.settimeout(PATIENCE_S)
    datagrams.connect((address, port))
    return datagrams
