"""What may live at a bare name besides a web site: hellos of the gateways that offices run, none with credentials.

Asked only where a person names one host and wants it (`check --vpn`), or where the name itself says that it is a VPN's:
a list and a daemon never get these, so nobody's web site is greeted in seven protocols by accident.
"""

import re
from urllib.parse import quote

import msgspec

from probe.model.target import CheckName, Exposure, Target
from probe.protocols import load_specs
from probe.targets.hosts import bracket, is_address
from probe.targets.identity import make_id

_NAMED = re.compile(r"(?:ssl|web|open)?vpn|remote|gw|ras|anyconnect|globalprotect", re.ASCII)
_TIMEOUT_S = 5.0
"""A gateway that is there says so in a second or two; the silent ones follow one another, and nobody waits for ever."""
CHAINS: tuple[tuple[tuple[str, int, dict[str, str]], ...], ...] = (
    # Many gateways made their certificate themselves: who they are is the web check's question, not this one's.
    (
        ("anyconnect", 443, {"insecure": "1"}),
        ("globalprotect", 443, {"insecure": "1"}),
        ("fortigate", 443, {"insecure": "1"}),
        ("sstp", 443, {"insecure": "1"}),
        ("openvpn", 443, {"proto": "tcp"}),  # last: a TLS server hangs up on it
    ),
    (("ikev2", 500, {}), ("ikev2", 4500, {})),
    (("openvpn", 1194, {"proto": "udp"}),),
)
"""Protocol, port and params; those of a chain are asked one after another, for they share a server or a port."""


class Survey(msgspec.Struct, frozen=True, kw_only=True):
    """What else is asked of one host, after the target that was given for it."""

    target: str
    """Id of that target."""
    host: str
    chains: tuple[tuple[Target, ...], ...]


def is_named_like_a_vpn(host: str) -> bool:
    """Tell whether the first word of a name says that a VPN's gateway is there: `vpn`, `vpn2`, `vpn-eu`, `remote`."""
    if is_address(host) or host.count(".") < 2:
        return False
    first = host.partition(".")[0].lower()
    named = _NAMED.match(first)
    rest = first[named.end() :] if named is not None else "none"
    return not rest or rest[0] in "-_0123456789"


def build_survey(target: Target) -> Survey:
    """Return what to ask of the target's host."""
    chains = tuple(tuple(_build(target, *row) for row in chain) for chain in CHAINS)
    return Survey(target=target.id, host=target.host, chains=chains)


def _build(target: Target, protocol: str, port: int, params: dict[str, str]) -> Target:
    spec = load_specs()[protocol]
    tail = "&".join(f"{key}={quote(value, safe='')}" for key, value in sorted(params.items()))
    address = f"{spec.schemes[0]}://{bracket(target.host)}:{port}" + (f"?{tail}" if tail else "")
    return Target(
        id=make_id(address, "", None, None),
        check=CheckName.VPN,
        address=address,
        host=target.host,
        port=port,
        params={**params, "protocol": spec.name},
        # A stranger's gateway gets what its own clients send, once, and no experiments.
        exposure=Exposure.PRIVATE,
        timeout_s=_TIMEOUT_S,
        source=target.source,
    )
