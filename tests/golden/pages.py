"""Golden stories about exchanges that broke, and pages that came."""

from typing import Any

import msgspec

from probe.model.endpoint import Endpoint
from probe.model.experiment import Design, Step
from probe.model.failure import FailureCode
from probe.model.fingerprint import Fingerprint, FoundIn, Reference
from probe.model.observation import Resolver, Transport
from probe.model.target import CheckName, Expect, StatusRange
from probe.model.vantage import Vantage
from tests.golden.story import Half, golden, half
from tests.unit.classify.cases import OWN, Story

CLEAR: dict[str, Any] = {"secure": False, "port": 80, "address": "http://www.site.example"}
BLOCKED_BODY = b"<html><title>Access denied</title>By order of the ministry</html>"
MINISTRY = Fingerprint(
    name="ministry", scope="nat", found_in=FoundIn.BODY, pattern="By order of the ministry", expected_countries=("XA",)
)
KNOWN = Reference(fingerprints=(MINISTRY,))
QUAD9_TLS = Resolver(
    transport=Transport.DOT, endpoint=Endpoint(address="9.9.9.9", port=853), server_name="dns.quad9.net"
)


def clear(*args: Any, **fields: Any) -> Story:
    """Tell of an exchange in the clear."""
    return Story(**CLEAR).dns(OWN).tcp().http(*args, **fields)


def proven(*args: Any, **fields: Any) -> Story:
    """Tell of an exchange under a valid certificate."""
    return Story().dns(OWN).tcp().tls().http(*args, **fields)


def again(story: Story, outcome: str) -> Story:
    """Tell that the exchange failed twice."""
    return story.once_more(Step.FETCH, outcome)


def page_of_the_ministry() -> Story:
    """Tell of a block page in the clear."""
    return clear(title="Access denied", body=BLOCKED_BODY)


@golden("http.blockpage.country_fingerprint")
def known_here() -> tuple[Half, Half]:
    here, elsewhere = Vantage(country_code="XA"), Vantage(country_code="XB")
    return (
        half(
            page_of_the_ministry().case(reference=KNOWN, vantage=here), "blocked network C3", "Known from this country."
        ),
        half(
            page_of_the_ministry().case(reference=KNOWN, vantage=elsewhere),
            "impaired unknown C1",
            "Known from another country, and nothing to hold it against.",
        ),
    )


@golden("http.blockpage.fingerprint.encrypted_differs")
def differs() -> tuple[Half, Half]:
    def tell(title: str) -> Story:
        story = page_of_the_ministry().encrypted(1, title=title)
        return story.wait(31.0).encrypted(2, title=title)

    return (
        half(
            tell("Morning Gazette").case(reference=KNOWN),
            "likely_blocked network C2",
            "The site's own https page is another, twice, half a minute apart.",
        ),
        half(
            page_of_the_ministry().encrypted(title="Access denied", body=BLOCKED_BODY).case(reference=KNOWN),
            "ok none C2",
            "The site's own https page reads the same: it is the site's.",
        ),
    )


@golden("http.blockpage.fingerprint")
def reads_like_one() -> tuple[Half, Half]:
    harmless = Fingerprint(name="museum", scope="fp", found_in=FoundIn.TITLE, pattern="Access denied")
    return (
        half(page_of_the_ministry().case(reference=KNOWN), "impaired unknown C1", "Nothing to hold it against."),
        half(
            page_of_the_ministry().case(reference=Reference(fingerprints=(MINISTRY, harmless))),
            "ok none C2",
            "A known false positive suppresses the match.",
        ),
    )


@golden("tcp.rst_synack.idle_too.http")
def idle_reset() -> tuple[Half, Half]:
    return (
        half(again(clear("reset"), "reset").idle("idle_reset").case(), "impaired unknown C1", "Reset unasked as well."),
        half(again(clear("reset"), "reset").idle("idle_ok").case(), "impaired unknown C1", "Left alone when idle."),
    )


@golden("tcp.fin.idle_too.http")
def idle_closed() -> tuple[Half, Half]:
    return (
        half(again(clear("fin"), "fin").idle("idle_fin").case(), "impaired unknown C1", "Closed unasked as well."),
        half(again(clear("fin"), "fin").idle("idle_ok").case(), "impaired unknown C1", "Left alone when idle."),
    )


def _named(rule: str, outcome: str, what: str) -> None:
    def tell(control: str, **test: Any) -> Story:
        story = Story(**CLEAR).dns(OWN).tcp().http(outcome, **test)
        for number in range(1, 6):
            story.pair(number, outcome if number < 5 else "", control, design=Design.HOST)
        return story

    @golden(rule)
    def halves() -> tuple[Half, Half]:
        dropped = tell("ok", bytes_sent=120, bytes_acked=0)
        if outcome == "silent":
            for index, seen in enumerate(dropped.observations):
                dropped.observations[index] = _unacknowledged(seen)
        return (
            half(
                dropped.case(),
                "likely_blocked network C2",
                f"{what} for this host five times, never for a neutral one.",
            ),
            half(
                tell("ok").case() if outcome == "silent" else tell(outcome).case(),
                "impaired unknown C1",
                "The request may have arrived: a server that hangs on its own page looks the same."
                if outcome == "silent"
                else f"{what} for every host: the server closes its plain port to all.",
            ),
        )


def _unacknowledged(seen: Any) -> Any:

    if getattr(seen, "failure", None) is None or not hasattr(seen, "bytes_acked"):
        return seen
    return msgspec.structs.replace(seen, bytes_sent=120, bytes_acked=0)


_named("http.reset.host.neutral_ok", "reset", "Reset")
_named("http.fin.host.neutral_ok", "fin", "Closed")
_named("http.timeout.host.neutral_ok", "silent", "Silence")


def _broken(rule: str, outcome: str, what: str) -> None:
    @golden(rule)
    def tell() -> tuple[Half, Half]:
        story = clear if outcome == "garbage" else proven
        return (
            half(again(story(outcome), outcome).case(), "impaired unknown C1", f"{what}, twice."),
            half(again(story(outcome), "ok").case(), "ok none C2", f"{what}, once: the repeat brings the page."),
        )


_broken("http.reset.reset.seen", "reset", "Reset after the request")
_broken("http.fin.fin.seen", "fin", "Closed after the request")
_broken("http.timeout.silent.seen", "silent", "Silent after the request")
_broken("http.reset.mid_page", "cut_reset", "Reset in the middle of the page")
_broken("http.fin.mid_page", "cut_fin", "Closed in the middle of the page")
_broken("flow.stalled.mid_page", "dripping", "The page comes a byte a second")
_broken("http.garbage.seen", "garbage", "Something that is not HTTP")
_broken("http.broken.seen", "unreachable", "An ICMP error in the middle of the exchange")


@golden("http.broken.encrypted_too")
def broken_in_private() -> tuple[Half, Half]:
    def named(over_https: str) -> Story:
        story = clear("reset")
        for number in range(1, 5):
            story.pair(number, "reset", "ok", design=Design.HOST)
        return story.pair(5, "", "ok", design=Design.HOST).encrypted(outcome=over_https)

    return (
        half(
            named("reset").case(),
            "impaired unknown C1",
            "The request is reset in the clear, and over https under the site's own certificate as well.",
        ),
        half(named("ok").case(), "likely_blocked network C2", "Over https the page comes: the host in the clear does."),
    )


@golden("srv.http_error.garbled")
def garbled() -> tuple[Half, Half]:
    return (
        half(proven("garbled").case(), "server_side server C1", "Nonsense under the site's own certificate."),
        half(again(clear("garbled"), "garbled").case(), "impaired unknown C1", "Nonsense in the clear."),
    )


@golden("srv.challenge.seen")
def challenge() -> tuple[Half, Half]:
    asks = (("cf-mitigated", "challenge"),)
    return (
        half(proven(status=403, headers=asks).case(), "ok none C2", "Asks for proof of being human: reachable."),
        half(proven(status=403).case(), "server_side server C2", "A plain refusal."),
    )


@golden("srv.geoblock.http.own_word")
def geoblock() -> tuple[Half, Half]:
    return (
        half(proven(status=451).case(), "server_side server C2", "451 under the site's own certificate."),
        half(clear(status=451).case(), "impaired unknown C1", "451 in the clear."),
    )


def _refusal(rule: str, status: int) -> None:
    @golden(rule)
    def tell() -> tuple[Half, Half]:
        return (
            half(proven(status=status).case(), "server_side server C2", f"{status} under the site's own certificate."),
            half(clear(status=status).case(), "impaired unknown C1", f"{status} in the clear: anybody's word."),
        )


_refusal("srv.rate_limited.429", 429)
_refusal("srv.auth_failed.401", 401)
_refusal("srv.refused.403", 403)
_refusal("srv.http_error.5xx", 503)


@golden("http.refusal.cleartext")
def cleartext_refusal() -> tuple[Half, Half]:
    return (
        half(
            clear(status=403).encrypted(status=200).case(),
            "impaired unknown C1",
            "403 on the plain port ('SSL required'), 200 over https: not a block.",
        ),
        half(
            clear(status=403).encrypted(status=403).case(), "server_side server C2", "403 on both: the server's word."
        ),
    )


def _redirect(rule: str, code: FailureCode, what: str) -> None:
    headers = (("location", "https://www.site.example/x"),)

    @golden(rule)
    def tell() -> tuple[Half, Half]:
        return (
            half(
                proven(status=302, headers=headers, failure=code).case(),
                "server_side server C1",
                f"{what}, under the site's own certificate.",
            ),
            half(
                clear(status=302, headers=headers, failure=code).case(), "impaired unknown C1", f"{what}, in the clear."
            ),
        )


_redirect("srv.redirect_loop.own_word", FailureCode.TOO_MANY_REDIRECTS, "Redirects without end")
_redirect("srv.http_error.location", FailureCode.HTTP_INVALID_REDIRECT, "A redirect to nowhere")


@golden("http.redirect.cleartext")
def cleartext_redirect() -> tuple[Half, Half]:
    loop = FailureCode.TOO_MANY_REDIRECTS
    return (
        half(clear(status=302, failure=loop).case(), "impaired unknown C1", "A loop in the clear: anybody's word."),
        half(proven(status=302, failure=loop).case(), "server_side server C1", "A loop under the site's certificate."),
    )


def _expecting(**fields: Any) -> Expect:
    return Expect(status=(StatusRange(low=200, high=299),), **fields)


@golden("srv.unexpected.proven")
def unexpected() -> tuple[Half, Half]:
    def tell(body: bytes) -> Story:
        return Story(expect=_expecting(body="hello")).dns(OWN).tcp().tls().http(body=body)

    return (
        half(tell(b"good bye").case(), "server_side server C1", "The server's own page lacks what is expected."),
        half(tell(b"<p>hello</p>").case(), "ok none C2", "It has what is expected."),
    )


@golden("http.unexpected.seen")
def unexpected_in_the_clear() -> tuple[Half, Half]:
    def tell(body: bytes) -> Story:
        return Story(**CLEAR, expect=_expecting(body="hello")).dns(OWN).tcp().http(body=body)

    return (
        half(tell(b"good bye").case(), "impaired unknown C1", "Not what is expected, and anybody may have sent it."),
        half(tell(b"<p>hello</p>").case(), "ok none C2", "It has what is expected."),
    )


def dot(answer: str | FailureCode, times: int = 1) -> Story:
    """Tell of a DoT target whose connection stands."""
    story = Story(check=CheckName.DOT, host="9.9.9.9", port=853, address="dot://9.9.9.9#dns.quad9.net")
    story.tcp(address="9.9.9.9").tls(address="9.9.9.9").dns(answer, resolver=QUAD9_TLS, name="example.com")
    for _ in range(1, times):
        story.again(answer, resolver=QUAD9_TLS)
    return story


@golden("srv.resolver_refuses")
def refusing_resolver() -> tuple[Half, Half]:
    return (
        half(dot(FailureCode.DNS_REFUSED).case(), "server_side server C2", "It refuses, under its own certificate."),
        half(dot("93.184.216.34").case(), "ok none C2", "It answers."),
    )


@golden("dns.encrypted_unanswered.seen")
def unanswered() -> tuple[Half, Half]:
    return (
        half(
            dot(FailureCode.TIMEOUT, times=2).case(), "impaired unknown C1", "It accepts, and does not answer, twice."
        ),
        half(dot(FailureCode.DNS_SERVFAIL).case(), "server_side server C2", "It answers with a failure."),
    )
