"""Golden stories about pages and redirects that came in the clear, and about whom they came from."""

from typing import Any

from probe.model.endpoint import Endpoint
from probe.model.experiment import Design, NameKind, Step
from probe.model.failure import FailureCode
from probe.model.path_trace import HopAnswer, TraceKind
from tests.golden.controls import judged
from tests.golden.pages import BLOCKED_BODY, CLEAR, KNOWN, clear
from tests.golden.story import Half, golden, half
from tests.golden.traces import TRANSIT_AS, trace
from tests.unit.classify.cases import DOH, DOT, NAME, OWN, REAL, Story

AWAY = (("Location", "http://notice.example/why"),)
HERE = (("Location", f"https://{NAME}/"),)
LOOP, NOWHERE = FailureCode.TOO_MANY_REDIRECTS, FailureCode.HTTP_INVALID_REDIRECT
OWN_WORDS = b"<p>the council said that its new reading room will open before the winter</p>"


def traced(story: Story, asn: int = TRANSIT_AS, meets: HopAnswer = HopAnswer.ANSWERED) -> Story:
    """Send requests that live for some hops: from the third on, the page comes; with a neutral host they go on."""
    trace(story, NameKind.TEST, TraceKind.REQUEST, meets, ttls=(2, 3, 6), asn=asn)
    trace(story, NameKind.NEUTRAL, TraceKind.REQUEST, HopAnswer.EXPIRED, ttls=(2, 3, 6), asn=asn)
    return trace(story, NameKind.TEST, TraceKind.SYN, HopAnswer.EXPIRED, number=2, ttls=(3, 6), asn=asn)


def moved(encrypted: tuple[tuple[str, str], ...] = ()) -> Story:
    """Tell of a redirect to another site in the clear, and of the page over https."""
    story = clear(status=302, headers=AWAY)
    return story.encrypted(status=302 if encrypted else 200, headers=encrypted, body=OWN_WORDS)


def landed(story: Story) -> Story:
    """Tell of the page that the redirect leads to."""
    story.tcp(address="5.62.200.1", hop=1)
    return story.http(address="5.62.200.1", hop=1, title="Access denied", body=BLOCKED_BODY)


def _register(rule: str, tell: Any, about: str) -> None:
    @golden(f"{rule}.injected")
    def injected() -> tuple[Half, Half]:
        return (
            half(traced(tell()).case(), "blocked network C3", f"{about}, by requests that die in a transit network."),
            half(traced(tell(), asn=0).case(), "impaired unknown C1", "Whose the hop is, is not known."),
        )

    @golden(f"{rule}.traced")
    def from_somewhere() -> tuple[Half, Half]:
        return (
            half(traced(tell(), asn=0).case(), "impaired unknown C1", "It comes from on the way, nobody knows whose."),
            half(
                traced(tell(), asn=0, meets=HopAnswer.EXPIRED).case(),
                "ok none C2",
                "Requests that die on the way bring nothing: it is the server that answers so.",
            ),
        )


_register("http.redirect", moved, "A redirect that the site does not send over https comes")
_register(
    "http.blockpage",
    lambda: clear(body=b"<p>closed</p>" * 3, title="Notice").encrypted(title="Morning Gazette", body=OWN_WORDS),
    "A page that is none of the site's comes",
)


@golden("http.redirect.private")
def into_a_private_network() -> tuple[Half, Half]:
    def tell(place: str) -> Story:
        return clear(status=302, headers=(("Location", f"http://{place}/why"),))

    return (
        half(tell("10.10.34.34").case(), "impaired unknown C1", "Nobody but somebody's own network is there."),
        half(tell("5.62.200.1").case(), "ok none C2", "A public address: the site may well be there."),
    )


@golden("http.redirect.to_block_page")
def to_block_page() -> tuple[Half, Half]:
    return (
        half(
            landed(moved()).case(reference=KNOWN),
            "impaired unknown C1",
            "Led to what reads like a block page in the clear only.",
        ),
        half(
            landed(moved(AWAY)).case(reference=KNOWN),
            "impaired unknown C1",
            "The site redirects there over https as well: what that page says is the end of the matter.",
        ),
    )


@golden("http.redirect.to_block_page.control_differs")
def to_block_page_from_here() -> tuple[Half, Half]:
    def outside(**answer: Any) -> Story:
        return Story(**CLEAR).dns(OWN).tcp().http(**answer)

    return (
        half(
            judged(landed(moved()), outside(), reference=KNOWN),
            "likely_blocked network C2",
            "Neither over https nor from a control are we led to the block page.",
        ),
        half(
            judged(landed(moved()), outside(status=302, headers=AWAY), reference=KNOWN),
            "impaired unknown C1",
            "A control is led there too: the site does it itself, in the clear.",
        ),
    )


@golden("http.redirect.control_differs")
def sent_away() -> tuple[Half, Half]:
    def outside(**answer: Any) -> Story:
        return Story(**CLEAR).dns(OWN).tcp().http(**answer)

    def inside(title: str) -> Story:
        story = Story(**CLEAR).dns(OWN).tcp().http(status=302, headers=AWAY).tcp(address="5.62.200.1", hop=1)
        return story.http(address="5.62.200.1", hop=1, title=title)

    site = {"title": "Morning Gazette"}
    return (
        half(
            judged(inside("Notice of closure"), outside(**site)),
            "impaired unknown C1",
            "Led to a page of another site, which a control neither is led to nor gets.",
        ),
        half(
            judged(inside("Morning Gazette, national edition"), outside(**site)),
            "ok none C2",
            "Led to another site, which shows the page that a control gets as well.",
        ),
    )


def _own_redirect(rule: str, code: FailureCode, about: str) -> None:
    @golden(rule)
    def tell() -> tuple[Half, Half]:
        return (
            half(
                clear(status=302, failure=code).encrypted(status=302, failure=code).case(),
                "server_side server C2",
                f"{about} in the clear, and the same over https.",
            ),
            half(
                clear(status=302, failure=code).encrypted().case(),
                "impaired unknown C1",
                f"{about} in the clear alone: anybody's word.",
            ),
        )


_own_redirect("srv.redirect_loop.encrypted_too", LOOP, "Redirects without end")
_own_redirect("srv.http_error.location_encrypted_too", NOWHERE, "A redirect to nowhere")


def worded(other_page: str, times: int = 5, over_https: str = "ok") -> Story:
    """Tell of a page that is reset, with a neutral host as well, while the host's front page comes or not.

    Over https the page comes, unless told.
    """
    story = clear("reset").once_more(Step.FETCH, "reset").pair(1, "", "reset", design=Design.HOST)
    endpoint = Endpoint(address=OWN, port=80)
    for number in range(1, times + 1):
        for kind, outcome in ((NameKind.NONE, other_page), (NameKind.TEST, "reset")):
            planned = story.experiment(Design.PATH, Step.FETCH, kind, number, endpoint=endpoint, secure=False)
            story.tcp(experiment=planned).http(outcome, experiment=planned)
    return story.encrypted(outcome=over_https) if over_https else story


@golden("http.reset.keyword.other_page_ok")
def keyword() -> tuple[Half, Half]:
    return (
        half(
            worded("ok").case(),
            "likely_blocked network C2",
            "The page is reset five times, the host's front page comes five times in between.",
        ),
        half(worded("reset").case(), "impaired unknown C1", "The front page is reset as well: it is not a word."),
    )


@golden("srv.down.zone_says_nowhere")
def nowhere() -> tuple[Half, Half]:
    def tell(encrypted: str) -> Story:
        story = Story().dns("127.0.0.1").tcp("refused", address="127.0.0.1")
        return story.ask(encrypted, DOH).ask(encrypted, DOT).again("127.0.0.1").neutrals()

    return (
        half(tell("127.0.0.1").case(), "down outage C2", "Encrypted resolvers give this host itself as well."),
        half(tell(REAL).case(), "blocked network C3", "They give a public address: the answer is a false one."),
    )
