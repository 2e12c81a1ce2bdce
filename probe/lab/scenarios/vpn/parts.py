"""What scenarios about tunnels are put together from: real servers, keys, and what was known of them before."""

import hashlib
import sys
from enum import StrEnum

import msgspec

from probe.control.hello_answers import Hello, reference_links
from probe.lab.censor.rules import RuleSet
from probe.lab.scenarios.model import Configured, Scenario, Server, Symptom, Truth, Tunnel
from probe.lab.scenarios.parts import works
from probe.lab.world.plan import Service, World
from probe.model.pattern import Pattern
from probe.model.verdict import Cause, Status

OPENVPN_PORT, IKE_PORT, SS_PORT, SSH_PORT, SOCKS_PORT = 1194, 500, 8488, 2222, 1080
WIREGUARD_PORT = 51820
SS_METHOD = "chacha20-ietf-poly1305"


class Key(StrEnum):
    """Keys by what they are good for; each is made of its name."""

    RIGHT = "right"
    WRONG = "wrong"


def static_key(key: Key) -> str:
    """Return a static key file of OpenVPN."""
    data = b"".join(hashlib.blake2b(f"{key} {n}".encode()).digest() for n in range(4))
    lines = [data[at : at + 16].hex() for at in range(0, len(data), 16)]
    return "\n".join(("-----BEGIN OpenVPN Static key V1-----", *lines, "-----END OpenVPN Static key V1-----", ""))


def openvpn_server(address: str, *, proto: str, key: Key = Key.RIGHT) -> Server:
    """Return Debian's openvpn behind tls-crypt, down to its certificate; it needs no tunnel device for that."""
    words = (
        f"--dev null --tls-server --proto {'tcp4-server' if proto == 'tcp' else 'udp4'} --port {OPENVPN_PORT} "
        f"--local {address} --ca {{certificate}} --cert {{certificate}} --key {{key}} --dh none "
        "--tls-crypt {folder}/ta.key"
    )
    return Server(
        program="openvpn",
        words=tuple(words.split()),
        files={"ta.key": static_key(key)},
        says="link local" if proto == "udp" else "Listening",
    )


def openvpn_file(address: str, *, proto: str, key: Key = Key.RIGHT) -> str:
    """Return the file that its user has."""
    return (
        f"client\nremote {address} {OPENVPN_PORT} {proto}\n<ca>\n{{certificate}}</ca>\n"
        f"<tls-crypt>\n{static_key(key)}</tls-crypt>\n"
    )


def shadowsocks_server(address: str, *, key: Key = Key.RIGHT) -> Server:
    """Return shadowsocks-libev."""
    words = f"-s {address} -p {SS_PORT} -k {key.value} -m {SS_METHOD} -v"
    return Server(program="ss-server", words=tuple(words.split()), says="listening")


def shadowsocks_link(address: str, relay: str, *, key: Key = Key.RIGHT) -> str:
    """Return a link to it, with a destination that it can reach."""
    return f"ss://{SS_METHOD}:{key.value}@{address}:{SS_PORT}?relay={relay}:443\n"


def socks_server(address: str, *, login: bool = False) -> Server:
    """Return microsocks."""
    words = ("-i", address, "-p", str(SOCKS_PORT), *(("-u", "user", "-P", Key.RIGHT.value) if login else ()))
    return Server(program="microsocks", words=words)


def ssh_server(address: str) -> Server:
    """Return OpenSSH's server; its host key is made on the spot."""
    config = f"ListenAddress {address}:{SSH_PORT}\nHostKey {{folder}}/host\nPidFile none\nStrictModes no\n"
    return Server(
        program="sshd",
        words=("-D", "-e", "-f", "{folder}/sshd_config"),
        files={"sshd_config": config},
        before=("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", "{folder}/host"),
        says="listening",
    )


def wireguard_server(address: str) -> Server:
    """Return the responder of WireGuard's handshake that comes with the package; its keys are the references'."""
    words = ("-m", "probe.lab.world.reference_server", Hello.WIREGUARD.value, address, str(WIREGUARD_PORT))
    return Server(program=sys.executable, words=words, says="listening")


def wireguard_link(address: str) -> str:
    """Return the link of its user."""
    return "\n".join(reference_links(Hello.WIREGUARD, address, WIREGUARD_PORT))


def without(world: World, port: int, *, over_tcp: bool) -> World:
    """Return a world in which nobody listens at this port of the tunnel's host."""
    services = world.sites["tunnel"].services
    kept = tuple(s for s in services if (s.port, s.over_tcp) != (port, over_tcp))
    return world.change("tunnel", services=kept)


def mute(world: World, port: int, *, over_tcp: bool, service: Service) -> World:
    """Return a world in which what listens at this port has nothing to say to whom we send."""
    kept = without(world, port, over_tcp=over_tcp).sites["tunnel"].services
    return world.change("tunnel", services=(*kept, service))


def likely(*patterns: Pattern, seen: tuple[Pattern, ...] = ()) -> Truth:
    """Return the truth that the network blocks a tunnel, of which one method of comparison can be had."""
    return Truth(
        status=Status.BLOCKED, patterns=patterns, cause=Cause.NETWORK, local=Status.IMPAIRED, seen=seen,
        outside=Status.LIKELY_BLOCKED,
    )  # fmt: skip


def certain(*patterns: Pattern) -> Truth:
    """Return the truth that the network blocks, which two methods show together."""
    return Truth(status=Status.BLOCKED, patterns=patterns, cause=Cause.NETWORK, local=Status.IMPAIRED)


def untold(truth: Truth, status: Status = Status.INSUFFICIENT) -> Truth:
    """Return a truth of which no more than this can be said: the credentials are not proven, or nobody can look."""
    return msgspec.structs.replace(truth, local=status, outside=status, seen=(Pattern.VPN,))


def tunnel_scenario(
    name: str,
    about: str,
    world: World,
    target: str,
    truth: Truth,
    *,
    rules: RuleSet | None = None,
    symptoms: tuple[Symptom, ...] = (),
    patience: str = "3s",
    **tunnel: object,
) -> Scenario:
    """Return a scenario whose target is a tunnel."""
    return Scenario(
        name=f"vpn-{name}",
        about=about,
        world=world,
        target=target,
        truth=truth,
        rules=rules or RuleSet(),
        symptoms=symptoms or works(world.sites["anchor2"]),
        configured=Configured(timeout=patience),
        tunnel=Tunnel(**tunnel),  # type: ignore[arg-type]
    )
