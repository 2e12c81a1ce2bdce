"""The world's resolvers: what each says of a name, truth or lie, over UDP, TCP, TLS and HTTPS.

Source: RFC 1035 section 4; RFC 7858 (DoT), RFC 8484 (DoH). The root is closed: a name nobody has is NXDOMAIN.
"""

import base64
import time

import dns.exception
import dns.flags
import dns.message
import dns.name
import dns.rcode
import dns.rdatatype
import dns.rrset

from probe.lab.world.plan import Lie, NameServer, World
from probe.protocols.tls.ech import build_config_list

ANSWER_TTL_S = 300


def answer_query(world: World, resolver: NameServer, wire: bytes) -> bytes | None:
    """Return what the resolver sends back; `None` = nothing."""
    try:
        query = dns.message.from_wire(wire, ignore_trailing=True)
    except dns.exception.DNSException:
        return None
    if not query.question:
        return None
    question = query.question[0]
    name = question.name.to_text(omit_final_dot=True).lower()
    response = dns.message.make_response(query, recursion_available=True)
    told = find_lie(resolver, name) or find_truth(world, name)
    if told is None and resolver.invents:
        told = Lie(addresses=resolver.invents)
    if told is None:
        response.set_rcode(dns.rcode.NXDOMAIN)
        return response.to_wire()
    if told.is_silent:
        return None
    response.set_rcode(dns.rcode.Rcode(told.rcode))
    if told.remembered_s:
        response.authority.append(_remember(name, told.remembered_s))
    owner = question.name
    if name in world.aliases and name not in resolver.lies:
        alias = dns.name.from_text(world.aliases[name])
        response.answer.append(dns.rrset.from_text(owner, ANSWER_TTL_S, "IN", "CNAME", alias.to_text()))
        owner = alias
    outer = find_outer_name(world, name)
    if outer and question.rdtype == dns.rdatatype.HTTPS:
        # Nobody opens what is hidden for this key: the outer name is answered, as RFC 9849 section 7.1 asks.
        config = base64.b64encode(build_config_list(outer, 7, bytes(32))).decode()
        text = f'1 . alpn="h2,http/1.1" ech="{config}"'
        response.answer.append(dns.rrset.from_text(owner, ANSWER_TTL_S, "IN", "HTTPS", text))
    fitting = [a for a in told.addresses if (":" in a) == (question.rdtype == dns.rdatatype.AAAA)]
    if fitting and question.rdtype in (dns.rdatatype.A, dns.rdatatype.AAAA):
        kind = dns.rdatatype.to_text(question.rdtype)
        response.answer.append(dns.rrset.from_text(owner, ANSWER_TTL_S, "IN", kind, *fitting))
    return response.to_wire()


def _remember(name: str, remembered_s: int) -> dns.rrset.RRset:
    """Return the SOA record of the zone that the name is directly in, with what is left of its time (RFC 2308)."""
    zone = name.partition(".")[2]
    left_s = remembered_s - int(time.monotonic()) % remembered_s
    text = f"ns1.{zone}. hostmaster.{zone}. 2026112901 7200 900 1209600 3600"
    return dns.rrset.from_text(f"{zone}.", left_s, "IN", "SOA", text)


def find_outer_name(world: World, name: str) -> str:
    """Return the name that a site's names are to be hidden behind; empty = none."""
    name = world.aliases.get(name, name)
    return next((site.ech_name for site in world.sites.values() if name in site.names), "")


def find_lie(resolver: NameServer, name: str) -> Lie | None:
    """Return the lie about a name, all below its parent (`*.parent`), or every name (`*`); `None` = no lie."""
    parents = (f"*.{name.split('.', n)[n]}" for n in range(1, name.count(".") + 1))
    return next((resolver.lies[key] for key in (name, *parents, "*") if key in resolver.lies), None)


def find_truth(world: World, name: str) -> Lie | None:
    """Return what an honest resolver says of a name; `None` = it does not exist."""
    name = world.aliases.get(name, name)
    if name in world.records:
        return world.records[name]
    for site in world.sites.values():
        if name in site.names:
            return Lie(addresses=site.addresses)
    for resolver in world.resolvers:
        if resolver.server_name and name == resolver.server_name:
            return Lie(addresses=resolver.addresses)
    return None
