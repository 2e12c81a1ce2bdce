"""Golden stories about hellos of other shapes: what passes where ours does not, and the other way round."""

from probe.model.endpoint import Endpoint
from probe.model.experiment import Design, HelloShape, NameKind, Step
from tests.golden.story import Half, golden, half
from tests.unit.classify.cases import OWN, Story

HERE = Endpoint(address=OWN, port=443)
FULL = {"bytes_acked": 0, "bytes_sent": 517}
"""Nothing that we sent arrived: no large packet of the server's was lost."""
TEST, NEUTRAL = NameKind.TEST, NameKind.NEUTRAL


class ShapeStory(Story):
    """Tells of hellos as well."""

    def hello(
        self,
        shape: HelloShape,
        kind: NameKind,
        number: int,
        outcome: str = "ok",
        design: Design = Design.HELLO,
    ) -> "ShapeStory":
        step = Step.HANDSHAKE if shape is HelloShape.STOCK else Step.HELLO
        planned = self.experiment(
            design, step, kind, hash_of(shape) + number, shape=shape, endpoint=HERE, about=str(HERE)
        )
        self.tcp(experiment=planned)
        self.tls(outcome, experiment=planned, hello_shape=shape.value, **(FULL if outcome == "silent" else {}))
        return self


def hash_of(shape: HelloShape) -> int:
    """Return a number that keeps the ids of shapes apart."""
    return 100 * (1 + list(HelloShape).index(shape))


def failing(outcome: str) -> ShapeStory:
    story = ShapeStory()
    story.dns(OWN).tcp().tls(outcome, **(FULL if outcome == "silent" else {}))
    return story


def by_name(outcome: str, browser: str, times: int = 5) -> ShapeStory:
    """The name fails five times, a neutral one passes; a browser's hello with the name comes out like this."""
    story = failing(outcome)
    for number in range(1, 6):
        more = FULL if outcome == "silent" else {}
        neutral = story.experiment(Design.SNI, Step.HANDSHAKE, NEUTRAL, number, endpoint=HERE)
        story.tcp(experiment=neutral).tls(experiment=neutral)
        if number < 5:
            test = story.experiment(Design.SNI, Step.HANDSHAKE, TEST, number, endpoint=HERE)
            story.tcp(experiment=test).tls(outcome, experiment=test, **more)
    story.hello(HelloShape.BROWSER, NEUTRAL, 1)
    for number in range(1, times + 1):
        story.hello(HelloShape.BROWSER, TEST, number, browser)
    return story


def by_turns(outcome: str, times: int = 5) -> ShapeStory:
    """A neutral name fails as well; a browser's hello passes, by turns with ours, which does not."""
    story = failing(outcome)
    story.pair(1, "", outcome)
    for number in range(1, times + 1):
        story.hello(HelloShape.BROWSER, TEST, number)
        if number < times:
            story.hello(HelloShape.STOCK, TEST, number, outcome)
    return story


def named_pair(outcome: str) -> tuple[Half, Half]:
    return (
        half(by_name(outcome, "ok").case(), "degraded network C2", "A browser's hello passes with the name, 5/5."),
        half(
            by_name(outcome, "ok", times=2).case(),
            "likely_blocked network C2",
            "Two that pass may be luck: 5 against 5 it must be.",
        ),
    )


def turned_pair(outcome: str) -> tuple[Half, Half]:
    return (
        half(by_turns(outcome).case(), "degraded unknown C2", "By turns, a browser's hello passes and ours does not."),
        half(by_turns(outcome, times=2).case(), "impaired unknown C1", "Twice is too few to call it usable."),
    )


@golden("tls.reset.sni.browser_passes")
def reset_by_name() -> tuple[Half, Half]:
    return named_pair("reset")


@golden("tls.fin.sni.browser_passes")
def closed_by_name() -> tuple[Half, Half]:
    return named_pair("fin")


@golden("tls.timeout.sni.browser_passes")
def dropped_by_name() -> tuple[Half, Half]:
    return named_pair("silent")


@golden("tls.reset.fingerprint.browser_passes")
def reset_by_shape() -> tuple[Half, Half]:
    return turned_pair("reset")


@golden("tls.fin.browser_passes")
def closed_by_shape() -> tuple[Half, Half]:
    return turned_pair("fin")


@golden("tls.timeout.browser_passes")
def dropped_by_shape() -> tuple[Half, Half]:
    return turned_pair("silent")


def deep(outcome: str, times: int = 3, without: str = "") -> ShapeStory:
    """Ours passes, a browser's does not."""
    story = ShapeStory()
    story.dns(OWN).tcp().tls().http()
    story.hello(HelloShape.BROWSER, TEST, 1, outcome)
    story.hello(HelloShape.NO_ECH, TEST, 1, without or outcome)
    for number in range(2, times + 1):
        story.hello(HelloShape.STOCK, TEST, number)
        story.hello(HelloShape.BROWSER, TEST, number, outcome)
    return story


def deep_pair(outcome: str) -> tuple[Half, Half]:
    return (
        half(deep(outcome).case(deep=True), "degraded unknown C1", "Three against three: a browser may fail here."),
        half(deep(outcome, times=2).case(deep=True), "ok none C2", "Twice is too few."),
    )


@golden("tls.reset.ech.without_passes")
def reset_by_ech() -> tuple[Half, Half]:
    return (
        half(
            deep("reset", without="ok").case(deep=True),
            "degraded unknown C1",
            "The same hello without encrypted ClientHello passes.",
        ),
        half(deep("reset").case(deep=True), "degraded unknown C1", "Without it the hello is reset as well."),
    )


@golden("tls.reset.fingerprint.browser_fails")
def large_reset() -> tuple[Half, Half]:
    return deep_pair("reset")


@golden("tls.fin.browser_fails")
def large_closed() -> tuple[Half, Half]:
    return deep_pair("fin")


@golden("tls.timeout.browser_fails")
def large_dropped() -> tuple[Half, Half]:
    return deep_pair("silent")


def cut(segments: str, records: str) -> ShapeStory:
    story = by_name("reset", "reset", times=1)
    for shape, outcome in ((HelloShape.SEGMENTS, segments), (HelloShape.RECORDS, records)):
        story.hello(shape, NEUTRAL, 1).hello(shape, TEST, 1, outcome)
    return story


@golden("tls.shape.segments_pass")
def not_reassembled() -> tuple[Half, Half]:
    return (
        half(cut("ok", "reset").case(), "likely_blocked network C2", "Cut into two segments, the name passes."),
        half(cut("reset", "reset").case(), "likely_blocked network C2", "It is put together and reset."),
    )


@golden("tls.shape.records_pass")
def records_not_joined() -> tuple[Half, Half]:
    return (
        half(cut("reset", "ok").case(), "likely_blocked network C2", "Cut into two records, the name passes."),
        half(cut("reset", "reset").case(), "likely_blocked network C2", "The records are joined and reset."),
    )


@golden("tls.shape.browser_fails_too")
def browser_too() -> tuple[Half, Half]:
    return (
        half(by_name("reset", "reset", times=1).case(), "likely_blocked network C2", "A browser fares no better."),
        half(by_name("reset", "ok", times=2).case(), "likely_blocked network C2", "A browser's hello passed twice."),
    )


def unnamed(outcome: str, times: int = 5) -> ShapeStory:
    """Every name fails, a browser's hello too; one without a name passes, by turns with ours."""
    story = failing(outcome)
    story.pair(1, "", outcome)
    story.hello(HelloShape.BROWSER, TEST, 1, outcome)
    for number in range(1, times + 1):
        story.hello(HelloShape.NO_NAME, NameKind.NONE, number)
        if number < times:
            story.hello(HelloShape.STOCK, TEST, number, outcome)
    return story


def unnamed_pair(outcome: str) -> tuple[Half, Half]:
    return (
        half(unnamed(outcome).case(), "impaired unknown C2", "By turns: without a name it passes, with one not."),
        half(unnamed(outcome, times=3).case(), "impaired unknown C1", "Three may be luck: 5 against 5 it must be."),
    )


@golden("tls.reset.sni.no_name_passes")
def reset_for_any_name() -> tuple[Half, Half]:
    return unnamed_pair("reset")


@golden("tls.fin.sni.no_name_passes")
def closed_for_any_name() -> tuple[Half, Half]:
    return unnamed_pair("fin")


@golden("tls.timeout.sni.no_name_passes")
def dropped_for_any_name() -> tuple[Half, Half]:
    return unnamed_pair("silent")


def small(outcome: str, without: str = "reset") -> ShapeStory:
    story = deep("reset", without=without)
    return story.hello(HelloShape.SMALL, TEST, 1, outcome)


@golden("tls.shape.small_passes")
def size_is_stopped() -> tuple[Half, Half]:
    return (
        half(small("ok").case(deep=True), "degraded unknown C1", "As small as ours, and it passes."),
        half(small("ok", without="ok").case(deep=True), "degraded unknown C1", "As large, and passes without ECH."),
    )


@golden("tls.shape.small_fails_too")
def words_are_stopped() -> tuple[Half, Half]:
    return (
        half(small("reset").case(deep=True), "degraded unknown C1", "As small as ours, and it fails."),
        half(small("ok").case(deep=True), "degraded unknown C1", "As small as ours, and it passes."),
    )


@golden("tls.shape.esni_fails_too")
def hiding_is_stopped() -> tuple[Half, Half]:
    def tell(esni: str) -> ShapeStory:
        return deep("reset", without="ok").hello(HelloShape.ESNI, NameKind.NONE, 1, esni)

    return (
        half(tell("reset").case(deep=True), "degraded unknown C1", "ESNI is reset as ECH is."),
        half(tell("ok").case(deep=True), "degraded unknown C1", "ESNI passes: ECH alone is stopped."),
    )


def hidden(outcome: str, times: int = 3, outer: str = "ok") -> ShapeStory:
    """Ours passes, and so does GREASE; what the site's zone asks browsers to send does not."""
    story = ShapeStory()
    story.dns(OWN).tcp().tls().http()
    story.hello(HelloShape.ECH, TEST, 1, outcome, Design.ECH)
    story.hello(HelloShape.NO_ECH, NEUTRAL, 1, outer, Design.ECH)
    story.hello(HelloShape.BROWSER, TEST, 1, design=Design.ECH)
    for number in range(2, times + 1):
        story.hello(HelloShape.STOCK, TEST, number, design=Design.ECH)
        story.hello(HelloShape.ECH, TEST, number, outcome, Design.ECH)
    return story


def hidden_pair(outcome: str) -> tuple[Half, Half]:
    return (
        half(
            hidden(outcome).case(deep=True),
            "degraded unknown C1",
            "ECH with its outer name fails; each alone passes.",
        ),
        half(
            hidden(outcome, outer=outcome).case(deep=True),
            "ok none C2",
            "The outer name fails without ECH as well: it is that name, which nobody asked for.",
        ),
    )


@golden("tls.reset.ech.configured")
def hidden_name_reset() -> tuple[Half, Half]:
    return hidden_pair("reset")


@golden("tls.fin.ech_configured")
def hidden_name_closed() -> tuple[Half, Half]:
    return hidden_pair("fin")


@golden("tls.timeout.ech.configured")
def hidden_name_dropped() -> tuple[Half, Half]:
    return hidden_pair("silent")
