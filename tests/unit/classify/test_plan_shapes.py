"""Hellos that a deep run and a failing name call for: real ECH, ESNI, small ones and those without a name."""

import base64

import pytest

from probe.classify.plans.plan import plan
from probe.model.experiment import Design, Experiment, HelloShape, NameKind, Step
from probe.model.observation import Resolver
from probe.model.target import Exposure
from probe.protocols.tls.ech import build_config_list
from tests.golden.shapes import ShapeStory, by_turns, deep, hidden, unnamed
from tests.unit.classify.cases import DOH, NAME, OWN, QUAD9, Story

OUTER = "cloudflare-ech.com"
RECORD = f'1 . alpn="h2" ech="{base64.b64encode(build_config_list(OUTER, 7, bytes(32))).decode()}"'


def wanted(story: Story, design: Design, **fields: object) -> list[Experiment]:
    return [e for e in plan(story.case(**({"deep": True} | fields))).now if e.design is design]


def published(record: str = RECORD, resolver: Resolver = DOH) -> ShapeStory:
    """Tell of a site that works, and of what its zone says to browsers."""
    story = ShapeStory()
    story.dns(OWN)
    asked = story.experiment(Design.ECH, Step.LOOKUP, NameKind.TEST, 1, resolver=resolver, query_type="HTTPS")
    story.dns(record, resolver=resolver, experiment=asked, query_type="HTTPS")
    story.tcp().tls().http()
    return story


def test_a_deep_run_asks_an_encrypted_resolver_what_the_zone_says_of_ech() -> None:
    (lookup,) = wanted(Story().dns(OWN), Design.ECH)
    assert (lookup.step, lookup.query_type, lookup.name, lookup.resolver) == (Step.LOOKUP, "HTTPS", NAME, DOH)


@pytest.mark.parametrize("exposure", [Exposure.SHARED, Exposure.PRIVATE])
def test_only_of_public_targets(exposure: Exposure) -> None:
    assert wanted(Story(exposure=exposure).dns(OWN), Design.ECH) == []


def test_nothing_is_asked_in_the_clear_or_outside_a_deep_run() -> None:
    assert wanted(Story().dns(OWN), Design.ECH, resolvers=(QUAD9,)) == []
    assert wanted(Story().dns(OWN), Design.ECH, deep=False) == []


def test_the_published_configuration_is_used_once_an_address_accepts() -> None:
    (hello,) = wanted(published(), Design.ECH)
    assert (hello.step, hello.shape, hello.name) == (Step.HELLO, HelloShape.ECH, NAME)
    assert hello.ech is not None
    assert (hello.ech.public_name, hello.ech.config_id) == (OUTER, 7)
    assert 0 < hello.within_s < 2


@pytest.mark.parametrize("record", ['1 . alpn="h2"', "1 . ech=AAAA", "0 elsewhere.example"])
def test_a_zone_without_a_configuration_ends_it(record: str) -> None:
    assert wanted(published(record), Design.ECH) == []


def test_a_hidden_name_that_passes_ends_it() -> None:
    story = published()
    story.hello(HelloShape.ECH, NameKind.TEST, 1, "ok", Design.ECH)
    assert wanted(story, Design.ECH) == []


def test_one_that_fails_is_held_against_the_outer_name_grease_and_ours_in_turn() -> None:
    story = published()
    shapes = []
    for _ in range(12):
        found = wanted(story, Design.ECH)
        if not found:
            break
        (hello,) = found
        shapes.append((hello.shape, hello.name_kind, hello.name))
        story.experiments.append(hello)
        failed = hello.shape is HelloShape.ECH
        story.tcp(experiment=hello)
        story.tls("silent" if failed else "ok", experiment=hello, hello_shape=hello.shape.value)
    ech, stock = (HelloShape.ECH, NameKind.TEST, NAME), (HelloShape.STOCK, NameKind.TEST, NAME)
    assert shapes == [
        ech,
        (HelloShape.NO_ECH, NameKind.NEUTRAL, OUTER),
        (HelloShape.BROWSER, NameKind.TEST, NAME),
        stock,
        ech,
        stock,
        ech,
    ]


def test_an_outer_name_that_fails_by_itself_ends_it() -> None:
    story = published()
    story.hello(HelloShape.ECH, NameKind.TEST, 1, "silent", Design.ECH)
    story.hello(HelloShape.NO_ECH, NameKind.NEUTRAL, 1, "silent", Design.ECH)
    assert wanted(story, Design.ECH) == []


def next_hello(story: Story, **fields: object) -> tuple[HelloShape, NameKind]:
    (hello,) = wanted(story, Design.HELLO, **fields)
    return hello.shape, hello.name_kind


def test_where_a_browsers_passes_without_ech_the_older_way_to_hide_a_name_is_tried() -> None:
    story = deep("reset", times=1, without="ok").hello(HelloShape.BROWSER, NameKind.NEUTRAL, 1)
    assert next_hello(story) == (HelloShape.ESNI, NameKind.NONE)


def test_where_it_fails_without_ech_as_well_a_small_one_is_tried() -> None:
    story = deep("reset", times=1).hello(HelloShape.BROWSER, NameKind.NEUTRAL, 1)
    assert next_hello(story) == (HelloShape.SMALL, NameKind.TEST)


def test_where_every_name_fails_and_a_browsers_hello_too_one_without_a_name_is_tried() -> None:
    story = unnamed("reset", times=0)
    assert next_hello(story, deep=False) == (HelloShape.NO_NAME, NameKind.NONE)
    assert next_hello(unnamed("reset", times=1), deep=False) == (HelloShape.STOCK, NameKind.TEST)


def test_where_a_browsers_hello_passes_none_without_a_name_is_sent() -> None:
    assert next_hello(by_turns("reset", times=2), deep=False)[0] is not HelloShape.NO_NAME


def test_ten_hellos_at_a_place_are_the_most() -> None:
    assert wanted(unnamed("reset"), Design.HELLO, deep=False) == []
    assert len([e for e in unnamed("reset").experiments if e.design is Design.HELLO]) == 10


def test_what_is_hidden_and_fails_takes_nothing_from_the_page() -> None:
    """The page is there all the same: a browser without ECH sees it."""
    assert all(e.design is Design.ECH for e in hidden("reset").experiments)
