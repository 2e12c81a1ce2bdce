"""Certificates, keys and passwords that are over or refused, with real servers: what each says of it, or does not say.

Source: openvpn-manual (`--ca`, `--cert`); RFC 8446 section 6.2 (certificate_expired); RFC 4252 section 5.1.
"""

import msgspec

from probe.lab.scenarios.model import Build, Proven, Scenario, Server, Truth
from probe.lab.scenarios.parts import FINE, own_doing
from probe.lab.scenarios.vpn_parts import OPENVPN_PORT, Key, static_key, tunnel_scenario, without
from probe.lab.world.plan import World
from probe.model.pattern import Pattern

EXPIRED, REFUSED = Pattern.SRV_CERT_EXPIRED, Pattern.SRV_AUTH_FAILED


def _server(address: str, *, proto: str, shows: str, tls: str) -> Server:
    """Return Debian's openvpn that lets clients of its authority in; it shows one of the papers."""
    words = (
        f"--dev tunserver --dev-type tun --topology subnet --server 10.202.8.0 255.255.255.0 --port {OPENVPN_PORT} "
        f"--proto {'tcp4-server' if proto == 'tcp' else 'udp4'} --local {address} --ca {{authority}} "
        f"--cert {{{shows}}} --key {{{shows}_key}} --dh none --tls-crypt {{folder}}/ta.key --duplicate-cn "
        f"--tls-version-max {tls} --keepalive 2 60"
    )
    return Server(
        program="openvpn", words=tuple(words.split()), files={"ta.key": static_key(Key.RIGHT)},
        says="Initialization Sequence Completed",
    )  # fmt: skip


class _OpenVpn(msgspec.Struct, frozen=True, kw_only=True):
    """OpenVPN with a certificate on each side."""

    name: str
    about: str
    truth: Truth
    proto: str = "udp"
    shows: str = "server"
    user: str = "member"
    tls: str = "1.3"
    proven: Proven = Proven.NO
    depth: str = "data"

    def __call__(self, world: World) -> Scenario:
        address = world.sites["tunnel"].v4[0]
        file = (
            f"client\nremote {address} {OPENVPN_PORT} {self.proto}\n<ca>\n{{authority}}</ca>\n"
            f"<cert>\n{{{self.user}}}</cert>\n<key>\n{{{self.user}_key}}</key>\n"
            f"<tls-crypt>\n{static_key(Key.RIGHT)}</tls-crypt>\n"
        )
        scenario = tunnel_scenario(
            self.name, self.about, without(world, OPENVPN_PORT, over_tcp=self.proto == "tcp"), "office.ovpn",
            self.truth, file=file, proven=self.proven,
            servers=(_server(address, proto=self.proto, shows=self.shows, tls=self.tls),),
            proven_servers=(_server(address, proto=self.proto, shows="server", tls=self.tls),),
        )  # fmt: skip
        return msgspec.structs.replace(scenario, options=("--depth", self.depth))


VPN_LOGINS: tuple[Build, ...] = (
    _OpenVpn(name="openvpn-login-works", about="a certificate logs in, and an echo comes back", truth=FINE),
    _OpenVpn(
        name="openvpn-server-expired", about="the server's certificate is over; it was good when it last worked",
        truth=own_doing(EXPIRED), shows="expired", proven=Proven.BEFORE, depth="proof",
    ),
    _OpenVpn(
        name="openvpn-client-expired", about="our certificate is over: the server ends TLS with an alert that says so",
        truth=own_doing(REFUSED), user="former",
    ),
    _OpenVpn(
        name="openvpn-client-expired-tcp", about="the same over TCP and by TLS 1.2",
        truth=own_doing(REFUSED), user="former", proto="tcp", tls="1.2",
    ),
)  # fmt: skip
"""They need OpenVPN and a TUN device."""
