"""Proofs about the host that asks: how its C library resolves, what its proxy carries, how much it may open."""

import contextlib
import os
import socket
import ssl
import time
from typing import assert_never
from urllib.parse import urlsplit

from probe.lab.proofs.packets import PATIENCE_S
from probe.lab.scenarios.model import LookUp, Met, Outcome, Pile, Proxied


def try_host(trial: LookUp | Proxied | Pile) -> Met:
    """Carry out one of these trials.

    Raises:
        OSError: the network, or our own host, says no or nothing.
    """
    match trial:
        case LookUp():
            return _look_up(trial)
        case Proxied():
            return _greet_through_proxy(trial)
        case Pile():
            return _pile_up(trial)
        case _:
            assert_never(trial)


def _look_up(trial: LookUp) -> Met:
    """Resolve as most programs do, and mind the time."""
    started_s = time.monotonic()
    found = socket.getaddrinfo(trial.name, 443, type=socket.SOCK_STREAM)
    took_s = time.monotonic() - started_s
    wrong = "" if took_s >= trial.min_s else f"it took {took_s:.1f} s only"
    return Met(outcome=Outcome.OK if found else Outcome.NO_ADDRESS, wrong=wrong)


def _greet_through_proxy(trial: Proxied) -> Met:
    """Ask the environment's proxy for a tunnel, and shake hands in it."""
    proxy = urlsplit(os.environ["https_proxy"])
    with socket.create_connection((proxy.hostname or "", proxy.port or 0), PATIENCE_S) as raw:
        raw.sendall(f"CONNECT {trial.server_name}:{trial.port} HTTP/1.1\r\n\r\n".encode())
        said = raw.recv(4096)
        if not said.startswith(b"HTTP/1.1 200"):
            return Met(outcome=Outcome.REFUSED, wrong=f"the proxy says {said[:40]!r}")
        with ssl.create_default_context().wrap_socket(raw, server_hostname=trial.server_name):
            return Met(outcome=Outcome.OK)


def _pile_up(trial: Pile) -> Met:
    """Open connections and keep them."""
    with contextlib.ExitStack() as held:
        for _ in range(trial.connections):
            held.enter_context(socket.create_connection((trial.address, trial.port), PATIENCE_S))
    return Met(outcome=Outcome.OK)
