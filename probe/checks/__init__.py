"""One file per question: what we can ask of a target. Checks make steps and never judge."""

from collections.abc import Awaitable, Callable, Mapping
from types import MappingProxyType

from probe.checks import dns, doh, dot, h3, icmp, tcp, tls, vpn, web
from probe.model.target import CheckName, Target
from probe.net.context import Context

CHECKS: Mapping[CheckName, Callable[[Target, Context], Awaitable[None]]] = MappingProxyType(
    {
        CheckName.WEB: web.run,
        CheckName.H3: h3.run,
        CheckName.DNS: dns.run,
        CheckName.TCP: tcp.run,
        CheckName.TLS: tls.run,
        CheckName.DOT: dot.run,
        CheckName.DOH: doh.run,
        CheckName.ICMP: icmp.run,
        CheckName.VPN: vpn.run,
    }
)
