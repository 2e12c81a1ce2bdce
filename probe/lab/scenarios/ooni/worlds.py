"""The fifty worlds of OONI's test suite for Web Connectivity, in our world. Source: ooni/probe-cli, webconnectivityqa.

Numbers and names are theirs. `news` stands for www.example.com, `short` for bit.ly, `files` for largefile.com, the box
for the ISP's transparent proxy, `plain` for the block page's server. What is true is our reading, not OONI's verdict.
"""

from probe.lab.censor.rules import (
    Finish,
    Reset,
)
from probe.lab.scenarios.model import Build, Outcome, Truth
from probe.lab.scenarios.ooni.parts import (
    Case,
    break_location,
    change,
    control_is_reset,
    distrust_wiki,
    is_led_to,
    is_led_to_box,
    is_told,
    isp_says,
    make_ghost,
    make_international,
    make_local,
    meets_asking,
    meets_greeting,
    on_host,
    reset_control,
    spoof,
    spoof_to,
)
from probe.lab.scenarios.parts import (
    BOGON,
    FINE,
    asks,
    blocked,
    gone,
    likely,
    loads,
    named,
    own_doing,
    partly,
    render_block_page,
    resolves,
    says,
    seeming,
    works,
)
from probe.lab.scenarios.servers import CHALLENGE
from probe.lab.world.plan import Certificate, Lie
from probe.model.pattern import Pattern
from probe.model.verdict import Cause, Status

RESET = Reset(ip_ttl=62, both_ends=False)
UNTRUSTED = seeming(own_doing(Pattern.SRV_CERT_UNTRUSTED, local=Status.IMPAIRED), Pattern.TLS)
CHALLENGED = Truth(status=Status.OK, patterns=(Pattern.SRV_CHALLENGE,), cause=Cause.SERVER)


NOWHERE = Truth(status=Status.DOWN, patterns=(Pattern.DNS_INJECTION, Pattern.SRV_NO_SUCH_NAME), cause=Cause.OUTAGE)
"""Answers are forged, and the name exists nowhere: without the forgery nobody could use the site either."""

PAGE = Finish(payload=render_block_page())
INJECTED = blocked(Pattern.DNS_INJECTION_OTHER)

PLAIN: tuple[Build, ...] = (
    Case(
        number=1,
        name="badSSLWithUnknownAuthority",
        world=distrust_wiki,
        key="wiki",
        truth=UNTRUSTED,
        symptoms=meets_greeting(Outcome.BAD_CERTIFICATE, "wiki"),
    ),
    Case(
        number=2,
        name="badSSLWithExpiredCertificate",
        world=change("wiki", certificate=Certificate.EXPIRED),
        key="wiki",
        truth=own_doing(Pattern.SRV_CERT_EXPIRED),
        symptoms=meets_greeting(Outcome.BAD_CERTIFICATE, "wiki"),
    ),
    Case(
        number=3,
        name="badSSLWithWrongServerName",
        world=change("wiki", certificate=Certificate.WRONG_NAME),
        key="wiki",
        truth=own_doing(Pattern.SRV_CERT_NAME),
        symptoms=meets_greeting(Outcome.BAD_CERTIFICATE, "wiki"),
    ),
    Case(
        number=4,
        name="badSSLWithUnknownAuthorityWithInconsistentDNS",
        world=distrust_wiki,
        censor=spoof_to("wiki"),
        truth=INJECTED,
        symptoms=is_led_to("wiki", meets_greeting(Outcome.BAD_CERTIFICATE, "wiki")),
    ),
    Case(
        number=5,
        name="cloudflareCAPTCHAWithHTTP",
        world=change("news", answer=CHALLENGE),
        secure=False,
        truth=CHALLENGED,
        symptoms=meets_asking(says="Just a moment"),
    ),
    Case(
        number=6,
        name="cloudflareCAPTCHAWithHTTPS",
        world=change("news", answer=CHALLENGE),
        truth=CHALLENGED,
        symptoms=lambda world: (loads(world.sites["news"], says="Just a moment"),),
    ),
    Case(
        number=7,
        name="controlFailureWithSuccessfulHTTPWebsite",
        censor=reset_control,
        secure=False,
        truth=FINE,
        symptoms=control_is_reset,
    ),
    Case(
        number=8,
        name="controlFailureWithSuccessfulHTTPSWebsite",
        censor=reset_control,
        truth=FINE,
        symptoms=control_is_reset,
    ),
    Case(
        number=9,
        name="dnsBlockingAndroidDNSCacheNoData",
        world=isp_says(Lie()),
        truth=likely(Pattern.DNS_NO_ANSWER),
        symptoms=lambda world: (says(world.sites["news"], outcome=Outcome.NO_ADDRESS),),
    ),
    Case(
        number=10,
        name="dnsBlockingBOGON",
        world=isp_says(Lie(addresses=(BOGON,))),
        truth=blocked(Pattern.DNS_RESOLVER_MANIPULATED),
        symptoms=lambda world: (says(world.sites["news"], BOGON), *resolves(world.sites["news"], "8.8.8.8")),
    ),
    Case(
        number=11,
        name="dnsBlockingNXDOMAIN",
        world=isp_says(Lie(rcode=3)),
        truth=blocked(Pattern.DNS_NXDOMAIN),
        symptoms=lambda world: (says(world.sites["news"], outcome=Outcome.NXDOMAIN),),
    ),
    *(
        Case(
            number=number,
            name=name,
            censor=spoof("127.0.0.1"),
            secure=secure,
            truth=blocked(Pattern.DNS_INJECTION_BOGON),
            symptoms=is_told("127.0.0.1"),
        )
        for number, name, secure in (
            (12, "dnsHijackingToLocalhostWithHTTP", False),
            (13, "dnsHijackingToLocalhostWithHTTPS", True),
        )
    ),
    *(
        Case(
            number=number,
            name=name,
            censor=spoof_to("box"),
            secure=secure,
            truth=partly(Pattern.DNS_INJECTION_OTHER),
            symptoms=is_led_to_box,
        )
        for number, name, secure in (
            (14, "dnsHijackingToProxyWithHTTPURL", False),
            (15, "dnsHijackingToProxyWithHTTPSURL", True),
        )
    ),
    *(
        Case(
            number=number,
            name=name,
            world=make_ghost,
            censor=spoof_to("plain"),
            secure=secure,
            truth=NOWHERE,
            symptoms=is_led_to("plain"),
        )
        for number, name, secure in ((16, "ghostDNSBlockingWithHTTP", False), (17, "ghostDNSBlockingWithHTTPS", True))
    ),
    Case(
        number=18,
        name="httpBlockingConnectionReset",
        censor=on_host(Reset(in_path=True)),
        secure=False,
        truth=named(Pattern.HTTP_RESET_HOST),
        symptoms=meets_asking(Outcome.RESET),
    ),
    Case(
        number=19,
        name="httpDiffWithConsistentDNS",
        censor=on_host(PAGE),
        secure=False,
        truth=named(Pattern.HTTP_BLOCKPAGE),
        symptoms=meets_asking(says="restricted"),
    ),
    Case(
        number=20,
        name="httpDiffWithInconsistentDNS",
        censor=spoof_to("box", on_host(PAGE)),
        secure=False,
        truth=blocked(Pattern.DNS_INJECTION_OTHER, Pattern.HTTP_BLOCKPAGE),
        symptoms=is_led_to("box", meets_asking(says="restricted")),
    ),
    *(
        Case(
            number=number,
            name=name,
            world=make_international,
            target=target,
            key="wiki",
            truth=FINE,
            symptoms=lambda world: (asks(world.sites["wiki"], says="302"), *works(world.sites["news"])),
        )
        for number, name, target in (
            (21, "idnaWithoutCensorshipLowercase", "http://www.почта.example/"),
            (22, "idnaWithoutCensorshipWithFirstLetterUppercase", "http://www.Почта.example/"),
        )
    ),
    *(
        Case(
            number=number,
            name=name,
            key="files",
            path="big",
            secure=secure,
            truth=FINE,
            symptoms=lambda world: (loads(world.sites["files"], path="/big", min_bytes=1_000_000),),
        )
        for number, name, secure in ((23, "largeFileWithHTTP", False), (24, "largeFileWithHTTPS", True))
    ),
    *(
        Case(
            number=number,
            name=name,
            world=make_local,
            secure=secure,
            truth=gone(Pattern.SRV_DOWN, seen=(Pattern.DNS_INJECTION_BOGON, Pattern.TCP_RST_SYN)),
            symptoms=is_told("127.0.0.1"),
        )
        for number, name, secure in ((25, "localhostWithHTTP", False), (26, "localhostWithHTTPS", True))
    ),
    *(
        Case(
            number=number,
            name=name,
            world=break_location,
            key="short",
            path="broken",
            secure=secure,
            truth=seeming(own_doing(Pattern.SRV_HTTP_ERROR), Pattern.HTTP),
            symptoms=lambda world: (asks(world.sites["short"], path="/broken", says="Location: http://"),),
        )
        for number, name, secure in (
            (27, "redirectWithBrokenLocationForHTTP", False),
            (28, "redirectWithBrokenLocationForHTTPS", True),
        )
    ),
)
