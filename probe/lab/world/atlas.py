"""The standard world: which sites there are, with names and addresses drawn by a seed.

Addresses look global, because judges of answers call the documentation ranges bogus; names end in `.example`.
"""

import ipaddress
import random

import msgspec

from probe.lab.censor.signatures import Signature
from probe.lab.world.plan import Box, Countdown, NameServer, Page, Redirect, Service, Site, World

CLIENT_V4 = "5.62.10.2"
CLIENT_V6 = "2a02:2d8:10::2"
GATEWAY_V4 = "5.62.10.1"
GATEWAY_V6 = "2a02:2d8:10::1"
CLIENT_PREFIXES = ("5.62.10.0/24", "2a02:2d8:10::/64")
DOMESTIC = ("5.62.0.0/16", "2a02:2d8::/32", "192.168.0.0/16", "198.18.0.0/15")
ISP_RESOLVER = "5.62.0.53"
ISP_RESOLVER_V6 = "2a02:2d8::53"
BOX_V4 = "5.62.200.1"
BOX_V6 = "2a02:2d8:200::1"
FAKE_ADDRESS = "198.18.0.21"
"""What a fake-IP proxy on the client's router gives for names; the box answers there."""
NAT64 = "64:ff9b::/96"
"""The well-known prefix of RFC 6052."""
HOME_RESOLVER = "192.168.1.53"
"""A resolver in the client's own network, private as such are."""
CONTROL_V4 = "193.0.30.10"
"""Where the lab's control listens, in a network that no scenario touches."""
ROUTERS_V4 = (GATEWAY_V4, "5.62.255.1", "5.62.255.9", "62.115.44.1", "62.115.120.7", "80.231.65.2", "45.90.255.1")
ROUTERS_V6 = (GATEWAY_V6, "2a02:2d8:255::1", "2a02:2d8:255::9", "2001:2034:1::1", "2001:2034:7::1", "2a0d:5600:f::1")

HOSTERS = (("45.90", "2a0d:5600"), ("185.107", "2a00:1768"), ("64.225", "2604:a880"))
CDN = ("151.101", "2a04:4e42")
HOME = ("5.62", "2a02:2d8")

_FIRST = (
    "harbour",
    "amber",
    "northern",
    "copper",
    "linden",
    "silver",
    "meadow",
    "granite",
    "willow",
    "lantern",
    "cedar",
)
_SECOND = ("post", "review", "gazette", "market", "garden", "courier", "library", "studio", "archive", "bridge", "club")
_KEYS = ("news", "forum", "video", "shop", "blog", "mail", "files", "short", "wiki", "single")
_ANCHORS = ("anchor1", "anchor2", "anchor3", "anchor4", "anchor5")
_HOME_SITES = ("home1", "home2")
_OFFER_H3 = ("video", "shop", "blog", "anchor1", "anchor4")
_TUNNELS = (
    Service(port=1194, speaks=Signature.OPENVPN),
    Service(port=1194, speaks=Signature.OPENVPN, over_tcp=True),
    Service(port=51820, speaks=Signature.WIREGUARD),
    Service(port=500, speaks=Signature.IKEV2),
    Service(port=8388, over_tcp=True),
)
"""What the host of a tunnel runs beside its web site."""


class _Lots:
    """Draws names and addresses without repeating itself."""

    def __init__(self, seed: int) -> None:
        self._dice = random.Random(seed)
        self._names = [f"{a}-{b}" for a in _FIRST for b in _SECOND]
        self._dice.shuffle(self._names)
        self._hosts = self._dice.sample(range(260, 50_000), 400)

    def name(self) -> str:
        return f"www.{self._names.pop()}.example"

    def pair(self, prefixes: tuple[str, str]) -> tuple[str, str]:
        """Return an IPv4 and an IPv6 address of one network."""
        host = self._hosts.pop()
        v6 = ipaddress.ip_address(f"{prefixes[1]}:{host:x}::80")
        return f"{prefixes[0]}.{host >> 8}.{host & 255 or 1}", str(v6)


def build_world(seed: int = 0) -> World:
    """Return the world as it is where nothing is wrong."""
    lots = _Lots(seed)
    names = {key: lots.name() for key in (*_KEYS, *_ANCHORS, *_HOME_SITES, "portal", "plain", "tunnel")}
    sites: dict[str, Site] = {}
    for number, key in enumerate(("news", "forum", "mail", "files", "short", "wiki")):
        first, second = lots.pair(HOSTERS[number % 3]), lots.pair(HOSTERS[number % 3])
        sites[key] = Site(names=(names[key], names[key][4:]), addresses=(first[0], second[0], first[1]))
    sites["single"] = Site(names=(names["single"],), addresses=(lots.pair(HOSTERS[1])[0],))
    shared = lots.pair(CDN)
    for key in ("video", "shop", "blog"):
        sites[key] = Site(names=(names[key],), addresses=shared)
    for number, key in enumerate(_ANCHORS):
        front = Page(body_bytes=100_000)  # large enough to show what the line can do
        sites[key] = Site(names=(names[key],), addresses=lots.pair((*HOSTERS, CDN)[number % 4]), answer=front)
    for key in _HOME_SITES:
        sites[key] = Site(names=(names[key],), addresses=lots.pair(HOME))
    plain = Page(status=204, body="", body_bytes=0)
    sites["portal"] = Site(names=(names["portal"],), addresses=lots.pair(HOSTERS[2]), answer=plain)
    sites["plain"] = Site(names=(names["plain"],), addresses=lots.pair(HOSTERS[0]), https_ports=())
    sites["tunnel"] = Site(names=(names["tunnel"],), addresses=lots.pair(HOSTERS[2]), services=_TUNNELS)
    for key in _OFFER_H3:
        sites[key] = msgspec.structs.replace(sites[key], h3_ports=(443,))
    sites["files"] = msgspec.structs.replace(sites["files"], paths={"/big": Page(body_bytes=2_000_000)})
    paths = {"/redirect/": Countdown(), "/go": Redirect(location=sites["news"].url)}
    paths["/plain"] = Redirect(location=sites["news"].cleartext_url)
    sites["short"] = msgspec.structs.replace(sites["short"], paths=paths)
    return World(sites=sites, resolvers=_RESOLVERS, box=Box(addresses=(BOX_V4, BOX_V6, FAKE_ADDRESS)))


_RESOLVERS = (
    NameServer(key="isp", addresses=(ISP_RESOLVER, ISP_RESOLVER_V6)),
    NameServer(key="home", addresses=(HOME_RESOLVER,)),
    NameServer(key="google", addresses=("8.8.8.8", "2001:4860:4860::8888"), server_name="dns.google"),
    NameServer(key="cloudflare", addresses=("1.1.1.1", "2606:4700:4700::1111"), server_name="cloudflare-dns.com"),
    NameServer(key="quad9", addresses=("9.9.9.9", "2620:fe::fe"), server_name="dns.quad9.net"),
)
