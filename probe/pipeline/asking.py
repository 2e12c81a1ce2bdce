"""What a control is asked about a target: the question alone, no secrets, no credentials."""

from collections.abc import Iterable

from probe.checks.vpn import find_greeting
from probe.model.control import ControlRequest
from probe.model.observation import DNSLookup, Observation, Role
from probe.model.target import CheckName, Target

DNS_PORT = 53


def build_question(target: Target, seen: Iterable[Observation]) -> ControlRequest:
    """Return what to ask, with the addresses that the check's own lookups gave."""
    lookups = [o for o in seen if isinstance(o, DNSLookup) and o.role is Role.TARGET and not o.hop]
    greeting = find_greeting(target)
    return ControlRequest(
        # Of a tunnel a control can say whether its port takes connections, or greetings: no secrets go to it.
        check=CheckName.TCP if target.check is CheckName.VPN and not greeting else target.check,
        greeting=greeting,
        host=target.host,
        port=DNS_PORT if target.check is CheckName.DNS else target.port,
        path=target.path,
        secure=target.secure,
        addresses=tuple(dict.fromkeys(a for lookup in lookups for a in lookup.addresses)),
        server_names=(target.params["sni"],) if "sni" in target.params else (),
        timeout_s=target.timeout_s,
    )
