"""How many sockets this process may have open.

Source: getrlimit(2), `RLIMIT_NOFILE`. Systems without it (Windows) have no such limit to respect.
"""

import contextlib
import sys

if sys.platform != "win32":
    import resource

_RESERVED = 64
"""Descriptors that are not the gate's: database, web clients, logs, shared DNS sockets."""


def raise_descriptor_limit(wanted: int) -> None:
    """Lift the soft limit toward what `wanted` sockets and our own files need, as far as the hard one allows."""
    if sys.platform == "win32":
        return
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    goal = wanted + _RESERVED
    if soft == resource.RLIM_INFINITY or soft >= goal:
        return
    if hard != resource.RLIM_INFINITY:
        goal = min(goal, hard)
    with contextlib.suppress(OSError, ValueError):  # some containers and macOS refuse; the clamp below still holds
        resource.setrlimit(resource.RLIMIT_NOFILE, (goal, hard))


def usable_sockets(wanted: int) -> int:
    """Return how many of the wanted sockets the soft limit leaves room for; at least one."""
    if sys.platform == "win32":
        return wanted
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft == resource.RLIM_INFINITY:
        return wanted
    return max(1, min(wanted, soft - _RESERVED))
