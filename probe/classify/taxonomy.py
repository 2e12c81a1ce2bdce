"""What each pattern means and what must be seen before it is named; `wallprobe patterns` prints it.

Source: `model/pattern.py` for the ids; CONTRACT section 2 for what makes evidence enough.
"""

import msgspec

from probe.model.pattern import Pattern


class Entry(msgspec.Struct, frozen=True, kw_only=True):
    """One line of the taxonomy."""

    meaning: str
    needs: str


def _entry(meaning: str, needs: str) -> Entry:
    return Entry(meaning=meaning, needs=needs)


_INNER = "its step fails, and what would tell more was not seen"

TAXONOMY: dict[Pattern, Entry] = {
    Pattern.DNS: _entry("the name's answer is wrong or missing", _INNER),
    Pattern.DNS_INJECTION: _entry("a forged answer from on the way", _INNER),
    Pattern.DNS_INJECTION_RACE: _entry(
        "a forged answer races the real one",
        "two answers to one question that exclude each other; the later one proven",
    ),
    Pattern.DNS_INJECTION_BOGON: _entry(
        "answered with no public address", "bogon here, a public address by encrypted DNS"
    ),
    Pattern.DNS_INJECTION_POOL: _entry(
        "answered from a known forged pool", "listed address, not given by encrypted DNS"
    ),
    Pattern.DNS_INJECTION_BLOCKPAGE: _entry(
        "answered with a block page's address", "the page there is a known block page"
    ),
    Pattern.DNS_INJECTION_TEREDO: _entry("answered with a Teredo address", "2001::/32 here, not by encrypted DNS"),
    Pattern.DNS_INJECTION_OTHER: _entry(
        "every resolver asked in the clear lies",
        "two resolvers lie, encrypted ones agree on a proven address; or the address serves unrelated sites",
    ),
    Pattern.DNS_RESOLVER: _entry("the resolver itself", _INNER),
    Pattern.DNS_RESOLVER_MANIPULATED: _entry(
        "only the configured resolver lies", "another resolver in the clear gives the proven address"
    ),
    Pattern.DNS_RESOLVER_INTERCEPTED: _entry(
        "port 53 is hijacked", "questions are answered, in one voice, where no resolver is (`nowhere:`)"
    ),
    Pattern.DNS_NXDOMAIN: _entry("an existing name is denied", "NXDOMAIN here, a proven address by encrypted DNS"),
    Pattern.DNS_NO_ANSWER: _entry(
        "an existing name is answered empty", "no address here, five times; neutral names fine"
    ),
    Pattern.DNS_REFUSED: _entry(
        "the question is refused for this name", "REFUSED five times; five neutral names answered"
    ),
    Pattern.DNS_SERVFAIL: _entry(
        "a failure is reported for this name", "SERVFAIL five times; five neutral names answered"
    ),
    Pattern.DNS_TIMEOUT: _entry("no answer for this name", "silence five times; five neutral names answered"),
    Pattern.DNS_ENCRYPTED_BLOCKED: _entry(
        "DoT or DoH is blocked", "its name, port or address is, as shown by the pattern beside it"
    ),
    Pattern.IP: _entry("the address does not answer", _INNER),
    Pattern.IP_DROP: _entry("everything to the address is dropped", "two ports silent, a neighbour and a control fine"),
    Pattern.IP_UNREACHABLE: _entry("a router refuses by ICMP", "an ICMP error whose sender is not the target"),
    Pattern.IP_PORT_DROP: _entry(
        "one port is dropped", "another port of the host answers; or first packets are lost here alone, five of ten"
    ),
    Pattern.IP_PROTO_DROP: _entry("one transport is dropped", "another transport to the host answers"),
    Pattern.TCP: _entry("the connection breaks before anything is sent", _INNER),
    Pattern.TCP_RST_SYN: _entry("a reset answers the SYN", "refused twice; who sent it stays open"),
    Pattern.TCP_RST_SYNACK: _entry("a reset right after the handshake", "an idle connection is reset too"),
    Pattern.TLS: _entry("the TLS handshake fails", _INNER),
    Pattern.TLS_RESET: _entry("reset during the TLS handshake", _INNER),
    Pattern.TLS_RESET_SNI: _entry(
        "reset because of the server name", "name × neutral name at one address, 5 against 5"
    ),
    Pattern.TLS_RESET_ENDPOINT: _entry(
        "reset whatever the name", "a neutral name fails there too, while the place is cold"
    ),
    Pattern.TLS_RESET_FINGERPRINT: _entry("reset because of the hello's shape", "another shape passes, 5 against 5"),
    Pattern.TLS_RESET_ECH: _entry("reset because of encrypted ClientHello", "the same hello without ECH passes"),
    Pattern.TLS_RESET_ESNI: _entry("reset because of ESNI", "the same hello without ESNI passes"),
    Pattern.TLS_FIN: _entry("closed during the TLS handshake", _INNER),
    Pattern.TLS_FIN_SNI: _entry("closed because of the server name", "name × neutral name at one address, 5 against 5"),
    Pattern.TLS_TIMEOUT: _entry("silence during the TLS handshake", _INNER),
    Pattern.TLS_TIMEOUT_SNI: _entry(
        "dropped because of the server name", "name × neutral name at one address, 5 against 5"
    ),
    Pattern.TLS_TIMEOUT_ECH: _entry(
        "dropped because of encrypted ClientHello", "the same outer name without ECH passes, and so does GREASE"
    ),
    Pattern.TLS_MITM: _entry("somebody else's certificate", _INNER),
    Pattern.TLS_MITM_UNTRUSTED: _entry("a forged certificate of no public root", "a control sees the site's own"),
    Pattern.TLS_MITM_CA_SIGNED: _entry("a forged certificate of a public root", "a control sees the site's own"),
    Pattern.HTTP: _entry("HTTP fails", _INNER),
    Pattern.HTTP_BLOCKPAGE: _entry(
        "a block page", "a fingerprint of this country, or one plus another page over https twice"
    ),
    Pattern.HTTP_REDIRECT: _entry(
        "redirected to a block page", "not so over https nor for a control, or the redirect comes from on the way"
    ),
    Pattern.HTTP_INJECTED: _entry("a page injected on the way", "the real answer arrives as well"),
    Pattern.HTTP_RESET: _entry("reset after the request", _INNER),
    Pattern.HTTP_RESET_HOST: _entry("reset because of the host", "host × neutral host at one address, 5 against 5"),
    Pattern.HTTP_RESET_KEYWORD: _entry(
        "reset because of the path", "the same host with a plain path passes, 5 against 5"
    ),
    Pattern.HTTP_FIN: _entry("closed after the request", _INNER),
    Pattern.HTTP_FIN_HOST: _entry("closed because of the host", "host × neutral host at one address, 5 against 5"),
    Pattern.HTTP_TIMEOUT: _entry("silence after the request", _INNER),
    Pattern.HTTP_TIMEOUT_HOST: _entry("dropped because of the host", "host × neutral host at one address, 5 against 5"),
    Pattern.QUIC: _entry("QUIC fails", _INNER),
    Pattern.QUIC_TIMEOUT_SNI: _entry("QUIC dropped because of the server name", "a neutral name passes at the address"),
    Pattern.QUIC_ENDPOINT: _entry(
        "any QUIC to the host is dropped", "version negotiation is lost, other hosts answer it"
    ),
    Pattern.QUIC_ALL: _entry("QUIC is dropped everywhere", "QUIC anchors fail, TCP ones answer"),
    Pattern.FLOW: _entry("a flow is interfered with", _INNER),
    Pattern.FLOW_RESIDUAL: _entry(
        "blocked for a while after a trigger", "a neutral name fails at once and passes later"
    ),
    Pattern.FLOW_ENTROPY: _entry("random-looking traffic is blocked", "printable traffic to the same sink passes"),
    Pattern.FLOW_PROTOCOL_ALLOWLIST: _entry(
        "only known protocols pass", "pages come from five ports of a control where other bytes never arrive"
    ),
    Pattern.FLOW_FREEZE: _entry(
        "frozen after some bytes",
        "three runs stall within 25 % of each other; other names, sites, a control or its other flows pass",
    ),
    Pattern.FLOW_THROTTLE: _entry(
        "slowed down",
        "a fifth of the rate the same page has otherwise, five runs in turn; or a control's, or its other flows have",
    ),
    Pattern.VPN: _entry("a VPN fails", _INNER),
    Pattern.VPN_HANDSHAKE_DROP: _entry(
        "the protocol's hello is dropped", "a reference server of the protocol fails too"
    ),
    Pattern.VPN_ENDPOINT_BLOCK: _entry(
        "this endpoint is blocked", "a reference server answers, another service here fails"
    ),
    Pattern.VPN_RESET: _entry("reset because of the protocol", "harmless bytes to the same port are accepted"),
    Pattern.VPN_DATA_DROP: _entry("the tunnel opens and carries nothing", "the data stage fails twice of three"),
    Pattern.VPN_BURNED: _entry(
        "blocked after it was used",
        "it worked from here, then its port died; a control is fine",
    ),
    Pattern.SRV: _entry("the server's own doing", _INNER),
    Pattern.SRV_GEOBLOCK: _entry("the server refuses this country", _INNER),
    Pattern.SRV_GEOBLOCK_HTTP: _entry("refused by a page of the server", "a valid certificate, and 403 or 451"),
    Pattern.SRV_GEOBLOCK_DNS: _entry(
        "refused by the name's own servers", "all resolvers of the country get the same failure"
    ),
    Pattern.SRV_GEOBLOCK_TCP: _entry("refused by the server's firewall", "the server's owner says so"),
    Pattern.SRV_CHALLENGE: _entry("asks for proof of being human; reachable", "the challenge's own marks"),
    Pattern.SRV_RATE_LIMITED: _entry("too many requests", "429 under a valid certificate"),
    Pattern.SRV_AUTH_FAILED: _entry("a login is asked for or refused", "401 or 407 under a valid certificate"),
    Pattern.SRV_SNI_REJECTED: _entry("the server does not know the name", "alert unrecognized_name"),
    Pattern.SRV_TLS_REFUSED: _entry("the server refuses the handshake", "the same alert for a neutral name"),
    Pattern.SRV_CERT_EXPIRED: _entry(
        "an expired certificate", "the chain is public and names the site, or leads to a tunnel's own authority"
    ),
    Pattern.SRV_CERT_NAME: _entry(
        "a certificate for other names", "a public chain, at an address encrypted DNS gives too"
    ),
    Pattern.SRV_CERT_UNTRUSTED: _entry("a certificate of no public root", "a control is shown none that holds either"),
    Pattern.SRV_HTTP_ERROR: _entry("the server reports a fault", "5xx under a valid certificate"),
    Pattern.SRV_REDIRECT_LOOP: _entry("redirects without end", "more than ten in a row"),
    Pattern.SRV_UNEXPECTED: _entry("not what the target expects", "a valid certificate, and `expect:` does not hold"),
    Pattern.SRV_FILTERED: _entry("the host's own firewall refuses", "an ICMP error sent by the target itself"),
    Pattern.SRV_DOWN: _entry("down for everybody", "a control, or two encrypted resolvers, see the same"),
    Pattern.SRV_NO_SUCH_NAME: _entry("the name does not exist", "two encrypted resolvers deny it too"),
    Pattern.NET: _entry("the access network", _INNER),
    Pattern.NET_CAPTIVE_PORTAL: _entry(
        "a captive portal", "the portal check is answered with a page, anchors are not proven"
    ),
    Pattern.NET_OFFLINE: _entry("no way out", "no anchor answers"),
    Pattern.NET_DNS_BROKEN: _entry("the resolver is broken", "neutral names fail in the same way"),
    Pattern.NET_IPV6_BROKEN: _entry("IPv6 is broken", "every IPv6 anchor fails, IPv4 ones answer"),
    Pattern.NET_MTU: _entry("large packets are lost", "small hellos pass, large ones do not, everywhere"),
    Pattern.NET_CLOCK: _entry("this host's clock is wrong", "the portal check's Date is five minutes off or more"),
    Pattern.NET_ALLOWLIST_MODE: _entry("only listed places pass", "some foreign places pass, others on the path fail"),
    Pattern.NET_FOREIGN_CUT: _entry("the way abroad is cut", "domestic anchors answer, all foreign ones fail"),
    Pattern.LOCAL: _entry("something on or beside this machine", _INNER),
    Pattern.LOCAL_TLS_INSPECTION: _entry("TLS is inspected here", "one private issuer signs neutral anchors too"),
    Pattern.LOCAL_FAKE_IP: _entry("a local proxy answers names", "neutral names resolve to its own range"),
    Pattern.LOCAL_RESOLVER: _entry(
        "a filter in one's own network", "its resolver falsifies neutral names, or sinks this one"
    ),
    Pattern.LOCAL_PROXY: _entry("a proxy in the environment", "proxy variables are set"),
    Pattern.LOCAL_TUNNEL: _entry("a tunnel is the default route", "the default route leaves by a tunnel interface"),
    Pattern.LOCAL_FIREWALL: _entry("a firewall in one's own network", "an ICMP error from a private address"),
    Pattern.OUTAGE_TARGET: _entry("the target is out", "no sign of policy, a control fails too"),
    Pattern.OUTAGE_AS: _entry("its network is out", "anchors in the same AS fail together"),
    Pattern.OUTAGE_TRANSIT: _entry("the way there is out", "breadth like a routing fault"),
    Pattern.INSTRUMENT_FAULT: _entry(
        "this host could not measure", "our own sockets fail: descriptors, ports, permissions"
    ),
}
"""Every pattern has a line; a test holds this table to the enum."""
