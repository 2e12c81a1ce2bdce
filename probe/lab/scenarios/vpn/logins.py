"""Certificates, keys and passwords that are over or refused, with real servers: what each says of it, or does not say.

Source: openvpn-manual (`--ca`, `--cert`); RFC 8446 section 6.2 (certificate_expired); RFC 4252 section 5.1.
"""

import shutil

import msgspec

from probe.lab.scenarios.model import Build, Proven, Scenario, Server, Truth
from probe.lab.scenarios.parts import FINE, own_doing
from probe.lab.scenarios.vpn.parts import OPENVPN_PORT, Key, static_key, tunnel_scenario, without
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


OCSERV_PORT = 4443
_OCSERV = """
auth = "plain[passwd={{folder}}/passwd]"
listen-host = {address}
tcp-port = {port}
run-as-user = root
run-as-group = root
socket-file = {{folder}}/ocserv.sock
server-cert = {{folder}}/tunnel-certificate.pem
server-key = {{folder}}/tunnel-key.pem
device = vpns
ipv4-network = 10.202.10.0
ipv4-netmask = 255.255.255.0
cisco-client-compat = true
isolate-workers = false
"""


def _ocserv(address: str) -> Server:
    """Return ocserv with one user."""
    up = (
        f"(until ss -ltn | grep -q {address}:{OCSERV_PORT}; do sleep 0.05; done; echo listening) & "
        "exec ocserv -f -d 1 -c {folder}/ocserv.conf"
    )
    made = f"printf '{Key.RIGHT.value}\\n{Key.RIGHT.value}\\n' | ocpasswd -c {{folder}}/passwd user"
    return Server(
        program="sh", words=("-c", up), before=("sh", "-c", made), says="listening", needs=("ocserv", "ocpasswd", "ss"),
        files={"ocserv.conf": _OCSERV.format(address=address, port=OCSERV_PORT)},
    )  # fmt: skip


class _AnyConnect(msgspec.Struct, frozen=True, kw_only=True):
    """AnyConnect with a password, which is sent once."""

    name: str
    about: str
    truth: Truth
    password: Key

    def __call__(self, world: World) -> Scenario:
        address = world.sites["tunnel"].v4[0]
        scenario = tunnel_scenario(
            self.name, self.about, world, "links.txt", self.truth, servers=(_ocserv(address),),
            file=f"anyconnect://user:{self.password.value}@{address}:{OCSERV_PORT}?insecure=1\n",
        )  # fmt: skip
        return msgspec.structs.replace(scenario, options=("--login",))


def openvpn_password_refused(world: World) -> Scenario:
    """The server's own script does not like the password."""
    address = world.sites["tunnel"].v4[0]
    server = _server(address, proto="udp", shows="server", tls="1.3")
    more = f"--auth-user-pass-verify {shutil.which('false')} via-file --script-security 2 --verify-client-cert none"
    file = (
        f"client\nremote {address} {OPENVPN_PORT} udp\n<ca>\n{{authority}}</ca>\n"
        f"<auth-user-pass>\nuser\n{Key.WRONG.value}\n</auth-user-pass>\n"
        f"<tls-crypt>\n{static_key(Key.RIGHT)}</tls-crypt>\n"
    )
    scenario = tunnel_scenario(
        "openvpn-password-refused", "a wrong password: the server says AUTH_FAILED inside TLS",
        without(world, OPENVPN_PORT, over_tcp=False), "office.ovpn", own_doing(REFUSED), file=file,
        servers=(msgspec.structs.replace(server, words=(*server.words, *more.split())),),
    )  # fmt: skip
    return msgspec.structs.replace(scenario, options=("--login",))


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
    openvpn_password_refused,
    _AnyConnect(name="anyconnect-works", about="ocserv lets us in", truth=FINE, password=Key.RIGHT),
    _AnyConnect(
        name="anyconnect-login-refused", about="a wrong password: ocserv asks for it again, which is a refusal",
        truth=own_doing(REFUSED), password=Key.WRONG,
    ),
)  # fmt: skip
"""They need OpenVPN and ocserv, and a TUN device."""
