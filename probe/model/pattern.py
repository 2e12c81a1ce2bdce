"""How something is blocked: ids of the form `<layer>.<action>.<qualifier>`, dotted and for ever.

Source: extends version 1 of the mechanism taxonomy in OONI's ontology (ooni/data). An inner node is a correct answer: a
verdict names the deepest node that its evidence supports.
"""

import functools
from enum import StrEnum


class Pattern(StrEnum):
    """Every node of the taxonomy; inner nodes are the prefixes of the deeper ones."""

    DNS = "dns"
    DNS_INJECTION = "dns.injection"
    DNS_INJECTION_RACE = "dns.injection.race"
    DNS_INJECTION_BOGON = "dns.injection.bogon"
    DNS_INJECTION_POOL = "dns.injection.pool"
    DNS_INJECTION_BLOCKPAGE = "dns.injection.blockpage"
    DNS_INJECTION_TEREDO = "dns.injection.teredo"
    DNS_INJECTION_OTHER = "dns.injection.other"
    DNS_RESOLVER = "dns.resolver"
    DNS_RESOLVER_MANIPULATED = "dns.resolver.manipulated"
    DNS_RESOLVER_INTERCEPTED = "dns.resolver.intercepted"
    DNS_NXDOMAIN = "dns.nxdomain"
    DNS_NO_ANSWER = "dns.no_answer"
    DNS_REFUSED = "dns.refused"
    DNS_SERVFAIL = "dns.servfail"
    DNS_TIMEOUT = "dns.timeout"
    DNS_ENCRYPTED_BLOCKED = "dns.encrypted.blocked"

    IP = "ip"
    IP_DROP = "ip.drop"
    IP_UNREACHABLE = "ip.unreachable"
    IP_PORT_DROP = "ip.port_drop"
    IP_PROTO_DROP = "ip.proto_drop"

    TCP = "tcp"
    TCP_RST_SYN = "tcp.rst_syn"
    TCP_RST_SYNACK = "tcp.rst_synack"

    TLS = "tls"
    TLS_RESET = "tls.reset"
    TLS_RESET_SNI = "tls.reset.sni"
    TLS_RESET_ENDPOINT = "tls.reset.endpoint"
    TLS_RESET_FINGERPRINT = "tls.reset.fingerprint"
    TLS_RESET_ECH = "tls.reset.ech"
    TLS_RESET_ESNI = "tls.reset.esni"
    TLS_FIN = "tls.fin"
    TLS_FIN_SNI = "tls.fin.sni"
    TLS_TIMEOUT = "tls.timeout"
    TLS_TIMEOUT_SNI = "tls.timeout.sni"
    TLS_TIMEOUT_ECH = "tls.timeout.ech"
    TLS_MITM = "tls.mitm"
    TLS_MITM_UNTRUSTED = "tls.mitm.untrusted"
    TLS_MITM_CA_SIGNED = "tls.mitm.ca_signed"

    HTTP = "http"
    HTTP_BLOCKPAGE = "http.blockpage"
    HTTP_REDIRECT = "http.redirect"
    HTTP_INJECTED = "http.injected"
    HTTP_RESET = "http.reset"
    HTTP_RESET_HOST = "http.reset.host"
    HTTP_RESET_KEYWORD = "http.reset.keyword"
    HTTP_FIN = "http.fin"
    HTTP_FIN_HOST = "http.fin.host"
    HTTP_TIMEOUT = "http.timeout"
    HTTP_TIMEOUT_HOST = "http.timeout.host"

    QUIC = "quic"
    QUIC_TIMEOUT_SNI = "quic.timeout.sni"
    QUIC_ENDPOINT = "quic.endpoint"
    QUIC_ALL = "quic.all"

    FLOW = "flow"
    FLOW_RESIDUAL = "flow.residual"
    FLOW_ENTROPY = "flow.entropy"
    FLOW_PROTOCOL_ALLOWLIST = "flow.protocol_allowlist"
    FLOW_FREEZE = "flow.freeze"
    FLOW_THROTTLE = "flow.throttle"

    VPN = "vpn"
    VPN_HANDSHAKE_DROP = "vpn.handshake_drop"
    VPN_ENDPOINT_BLOCK = "vpn.endpoint_block"
    VPN_RESET = "vpn.reset"
    VPN_DATA_DROP = "vpn.data_drop"
    VPN_BURNED = "vpn.burned"

    SRV = "srv"
    SRV_GEOBLOCK = "srv.geoblock"
    SRV_GEOBLOCK_HTTP = "srv.geoblock.http"
    SRV_GEOBLOCK_DNS = "srv.geoblock.dns"
    SRV_GEOBLOCK_TCP = "srv.geoblock.tcp"
    SRV_CHALLENGE = "srv.challenge"
    SRV_RATE_LIMITED = "srv.rate_limited"
    SRV_AUTH_FAILED = "srv.auth_failed"
    SRV_SNI_REJECTED = "srv.sni_rejected"
    SRV_TLS_REFUSED = "srv.tls_refused"
    SRV_CERT_EXPIRED = "srv.cert_expired"
    SRV_CERT_NAME = "srv.cert_name"
    SRV_CERT_UNTRUSTED = "srv.cert_untrusted"
    SRV_HTTP_ERROR = "srv.http_error"
    SRV_REDIRECT_LOOP = "srv.redirect_loop"
    SRV_UNEXPECTED = "srv.unexpected"
    SRV_FILTERED = "srv.filtered"
    SRV_DOWN = "srv.down"
    SRV_NO_SUCH_NAME = "srv.no_such_name"

    NET = "net"
    NET_CAPTIVE_PORTAL = "net.captive_portal"
    NET_OFFLINE = "net.offline"
    NET_DNS_BROKEN = "net.dns_broken"
    NET_IPV6_BROKEN = "net.ipv6_broken"
    NET_MTU = "net.mtu"
    NET_CLOCK = "net.clock"
    NET_ALLOWLIST_MODE = "net.allowlist_mode"
    NET_FOREIGN_CUT = "net.foreign_cut"

    LOCAL = "local"
    LOCAL_TLS_INSPECTION = "local.tls_inspection"
    LOCAL_FAKE_IP = "local.fake_ip"
    LOCAL_RESOLVER = "local.resolver"
    LOCAL_PROXY = "local.proxy"
    LOCAL_TUNNEL = "local.tunnel"
    LOCAL_FIREWALL = "local.firewall"

    OUTAGE_TARGET = "outage.target"
    OUTAGE_AS = "outage.as"
    OUTAGE_TRANSIT = "outage.transit"

    INSTRUMENT_FAULT = "instrument.fault"

    @functools.cached_property
    def layer(self) -> str:
        """Return the first part of the id."""
        return self.value.split(".", 1)[0]

    @functools.cached_property
    def ancestors(self) -> tuple[str, ...]:
        """Return the id and every prefix of it, deepest first."""
        parts = self.value.split(".")
        return tuple(".".join(parts[:n]) for n in range(len(parts), 0, -1))
