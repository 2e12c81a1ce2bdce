"""What lives as long as the process and every step needs: clocks, roots, DNS sockets, names, capabilities."""

import contextlib
import os
import sys

from probe.model.settings import TLSLibrary
from probe.net.capabilities import MASK_VARIABLE, Capabilities, mask_capabilities, probe_capabilities
from probe.net.clock import Clock, SystemClock
from probe.net.dns_pool import DnsSockets
from probe.net.system_resolver import SystemResolver
from probe.net.trust import Trust
from probe.net.tunnel import Tunnel


class Stack:
    """One per process; opened inside the running loop."""

    def __init__(
        self,
        *,
        clock: Clock,
        trust: Trust,
        capabilities: Capabilities,
        dns: DnsSockets,
        names: SystemResolver,
        tunnel: Tunnel | None = None,
    ) -> None:
        self.clock = clock
        self.trust = trust
        self.capabilities = capabilities
        self.dns = dns
        self.names = names
        self.tunnel = tunnel
        """Where the steps' connections leave; `None` = by this host's own routes."""

    @classmethod
    def open(
        cls,
        *,
        clock: Clock | None = None,
        ca_file: str = "",
        resolv_conf: str = "/etc/resolv.conf",
        capabilities: Capabilities | None = None,
        quick_library: TLSLibrary = TLSLibrary.OPENSSL,
    ) -> "Stack":
        """Open everything; `capabilities` masks what the host has, for tests.

        Raises:
            UserError: the root file or the TLS library cannot be used, or what is to be masked is nothing we know.
        """
        raise_descriptor_limit()
        clock = clock or SystemClock()
        if capabilities is None:
            capabilities = mask_capabilities(probe_capabilities(), os.environ.get(MASK_VARIABLE, ""))
        return cls(
            clock=clock,
            dns=DnsSockets(clock, capabilities=capabilities),
            names=SystemResolver(resolv_conf),
            trust=Trust(ca_file=ca_file, environ=os.environ, quick_library=quick_library),
            capabilities=capabilities,
        )

    async def close(self) -> None:
        """Close what is open; steps must have ended."""
        self.dns.close()
        self.names.close()


def raise_descriptor_limit() -> int:
    """Raise the soft limit of open files to the hard one; return it, 0 where there is no such limit."""
    if sys.platform == "win32":
        return 0
    import resource

    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft < hard:
        with contextlib.suppress(ValueError, OSError):
            resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
            soft = hard
    return soft
