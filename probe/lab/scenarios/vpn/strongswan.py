"""strongSwan in the lab: a right and a wrong key, a filter, and its own patience with who leaves exchanges unfinished.

Source: strongswan.conf(5) (`charon.block_threshold`, `cookie_threshold`, `init_limit_half_open`); RFC 7296 section 2.6.
It binds its ports at every address, where the world's stand-ins and a control have theirs: so it has ports of its own.
"""

import sys

import msgspec

from probe.lab.censor.rules import Drop, Speaks, ToAddress, When
from probe.lab.censor.rules import Rule as CensorRule
from probe.lab.censor.signatures import Signature
from probe.lab.scenarios.model import Build, Proven, Scenario, Server, Truth
from probe.lab.scenarios.parts import FINE, own_doing, rules
from probe.lab.scenarios.vpn.parts import certain, likely, tunnel_scenario, untold
from probe.lab.world.plan import World
from probe.model.pattern import Pattern
from probe.model.verdict import Status

PORT, NAT_PORT = 1500, 14500
_KEY, _OTHER_KEY = "right", "wrong"
_STRONGSWAN = """
charon-systemd {{
  load_modular = no
  load = random nonce x509 pubkey pkcs1 pkcs8 pem openssl hmac gcm kdf sha1 sha2 aes kernel-netlink socket-default vici
  port = {port}
  port_nat_t = {nat_port}
  half_open_timeout = 300
  {settings}
  plugins {{ vici {{ socket = unix://{{folder}}/vici }} }}
  syslog {{ daemon {{ default = -1 }} }}
  filelog {{ stdout {{ default = 1 }} }}
}}
"""
_CONNECTIONS = """
connections {{
  v2 {{ version = 2
    local_addrs = {address}
    pools = pool
    proposals = aes256-sha256-x25519,aes256-sha256-modp2048
    local {{ auth = psk
      id = gw.test }}
    remote {{ auth = psk }}
    children {{ c {{ local_ts = 0.0.0.0/0 }} }}
  }}
}}
pools {{ pool {{ addrs = 10.202.9.0/24 }} }}
secrets {{ ike-1 {{ secret = "{key}" }} }}
"""


def strongswan(address: str, *, settings: str = "", after: tuple[str, ...] = ()) -> Server:
    """Return charon with one connection for whoever knows the key."""
    up = (
        "load='swanctl --load-all --noprompt --file {folder}/swanctl.conf --uri unix://{folder}/vici'; "
        "(until $load >/dev/null 2>&1; do sleep 0.05; done; echo listening) & "
        "STRONGSWAN_CONF={folder}/strongswan.conf exec charon-systemd"
    )
    files = {
        "strongswan.conf": _STRONGSWAN.format(port=PORT, nat_port=NAT_PORT, settings=settings),
        "swanctl.conf": _CONNECTIONS.format(address=address, key=_KEY),
    }
    return Server(
        program="sh", words=("-c", up), files=files, says="listening", needs=("charon-systemd", "swanctl"), after=after
    )


class _StrongSwan(msgspec.Struct, frozen=True, kw_only=True):
    """IKEv2 with a pre-shared key."""

    name: str
    about: str
    truth: Truth
    proven: Proven = Proven.NO
    key: str = _KEY
    when: When | None = None
    """What the censor drops."""
    settings: str = ""
    exhausted: bool = False

    def __call__(self, world: World) -> Scenario:
        address = world.sites["tunnel"].v4[0]
        spoil = (sys.executable, "-m", "probe.lab.world.half_open", address, str(PORT)) if self.exhausted else ()
        return tunnel_scenario(
            self.name, self.about, world, "links.txt", self.truth,
            rules=rules(CensorRule(id="s", when=self.when, then=Drop())) if self.when is not None else None,
            servers=(strongswan(address, settings=self.settings, after=spoil),),
            proven=self.proven, proven_servers=(strongswan(address),),
            file=f"ikev2://{address}:{PORT}?natt=1&id=probe.test&psk={self.key}\n",
        )  # fmt: skip


_IKE = Speaks(signatures=(Signature.IKEV2,))
_UDP = ToAddress(protocols=(17,), except_ports=(53,))
VPN_STRONGSWAN: tuple[Build, ...] = (
    _StrongSwan(name="strongswan-works", about="strongSwan takes our key; nothing is wrong", truth=FINE),
    _StrongSwan(
        name="strongswan-drop", about="flows that begin as IKEv2's are dropped; strongSwan took our key before",
        truth=likely(Pattern.VPN_HANDSHAKE_DROP), when=_IKE, proven=Proven.BEFORE,
    ),
    _StrongSwan(
        name="strongswan-drop-two-ways", about="the same, and it works elsewhere",
        truth=certain(Pattern.VPN_HANDSHAKE_DROP), when=_IKE, proven=Proven.ELSEWHERE,
    ),
    _StrongSwan(
        name="strongswan-udp-off", about="no UDP passes but DNS; strongSwan took our key before",
        truth=likely(Pattern.IP_PROTO_DROP), when=_UDP, proven=Proven.BEFORE,
    ),
    _StrongSwan(
        name="strongswan-wrong-key", about="a wrong pre-shared key: strongSwan says so",
        truth=own_doing(Pattern.SRV_AUTH_FAILED), key=_OTHER_KEY,
    ),
    _StrongSwan(
        name="strongswan-half-open", about="five exchanges of ours stand half open: strongSwan is silent to us alone",
        truth=untold(own_doing(Pattern.VPN), Status.IMPAIRED), exhausted=True, proven=Proven.BEFORE,
    ),
    _StrongSwan(
        name="strongswan-half-open-elsewhere", about="the same, and from another network it works at this moment",
        truth=untold(own_doing(Pattern.VPN), Status.IMPAIRED), exhausted=True, proven=Proven.ELSEWHERE,
    ),
    _StrongSwan(
        name="strongswan-full", about="strongSwan takes no more than a few half-open exchanges, of anybody",
        truth=untold(own_doing(Pattern.VPN), Status.IMPAIRED), exhausted=True, proven=Proven.BEFORE,
        settings="init_limit_half_open = 3\n  block_threshold = 0",
    ),
    _StrongSwan(
        name="strongswan-cookie", about="strongSwan wants a cookie of everybody, which is an answer", truth=FINE,
        settings="cookie_threshold = 0",
    ),
)  # fmt: skip
"""They need charon-systemd and swanctl installed."""
