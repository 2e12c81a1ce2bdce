"""What people hand over for tunnels and is not spoken here: each has a name, a reason, and something to do instead."""

from probe.protocols.written.link import NotSpokenError

_OWN_CLIENT = "use its own client, or take another of the provider's links"
_SUBSCRIPTION = "is where a client fetches its servers, not a server", "download what is there and give that file"
_PROTOCOLS = {
    "ssr": "ShadowsocksR", "hysteria": "Hysteria 1", "hy": "Hysteria 1", "naive+quic": "NaïveProxy over QUIC",
    "shadowtls": "ShadowTLS", "snell": "Snell", "mieru": "Mieru", "mierus": "Mieru", "juicity": "Juicity",
    "brook": "Brook", "socks4": "SOCKS4", "socks4a": "SOCKS4", "trojan-go": "Trojan-Go",
    "chain": "a server that is reached through another one", "tg": "MTProto", "mtproto": "MTProto", "dnstt": "dnstt",
}  # fmt: skip
"""By scheme; of some the first word of a bridge line."""
_OTHERS = {
    "warp": ("names no server: its client is given one", "give the WireGuard file that wgcf or the app can export"),
    "vpn": ("is read from a file of its own", "put it into one (chmod 600) and name that: it may hold several"),
    "http": ("is a web address, not a tunnel's", "check it by itself; a proxy is written http-proxy://HOST:PORT"),
    "https": (
        "is a web address, not a tunnel's",
        "check it by itself, or download the list that is there; a proxy is written https-proxy://HOST:PORT",
    ),
} | dict.fromkeys(("clash", "outline", "sing-box", "ssconf", "sub", "v2rayng"), _SUBSCRIPTION)  # fmt: skip
_LINKS = "export the servers as share links, one per line, or take the subscription that clients like v2rayN read"
_BRIDGES = frozenset(
    {"conjure", "fte", "meek", "meek_lite", "obfs2", "obfs3", "scramblesuit", "snowflake", "webtunnel"}
)
_IN_BRIDGE = "its url= is a site, check that: https://…; or ask for an obfs4 bridge"


def is_unspoken(scheme: str) -> bool:
    """Tell whether this is the scheme or first word of something known that is not spoken here."""
    return scheme in _PROTOCOLS or scheme in _OTHERS or scheme in _BRIDGES


def explain_text(text: str) -> NotSpokenError | None:
    """Say what a text may be that is neither links nor a tunnel's file: another client's settings; `None` = no idea."""
    if text.lstrip().startswith("{"):
        return NotSpokenError("a client's settings in JSON are not read here", _LINKS)
    return None


def explain_unspoken(scheme: str) -> NotSpokenError | None:
    """Say of a scheme, or a bridge line's first word, what it is and what to do; `None` = nothing is known of it."""
    if scheme in _PROTOCOLS:
        return NotSpokenError(f"{_PROTOCOLS[scheme]} is not spoken here", _OWN_CLIENT)
    if scheme in _BRIDGES:
        return NotSpokenError(f"a bridge of the kind {scheme} is not spoken here", _IN_BRIDGE)
    if scheme in _OTHERS:
        what, remedy = _OTHERS[scheme]
        return NotSpokenError(f"{scheme}:// {what}", remedy)
    return None
