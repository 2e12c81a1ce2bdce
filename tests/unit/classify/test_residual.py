"""A filter that remembers us is told from an outage, a limit and chance, and its memory is timed."""

from hypothesis import given, settings
from hypothesis import strategies as st

from probe.classify.case import Case
from probe.classify.facts.path_facts import build_table
from probe.classify.facts.residual import SAMPLE_WITHIN_S, SAMPLES, find_bouts, find_residual, is_moot, sample_delays
from probe.classify.judge import judge
from probe.classify.plans.plan import plan
from probe.classify.tries import Layer
from probe.export.text.comparisons import build_cells
from probe.model.experiment import Design, NameKind
from probe.model.verdict import Confidence, Status
from tests.golden.residuals import COOL_DOWN_S, Remembered, short_outage, twice
from tests.unit.classify.cases import OWN, Story
from tests.unit.classify.measured import measured

SPOT = f"{OWN}:443"


def tries(case: Case):
    return tuple(row for row in build_table(case) if row.spot == SPOT)


def found(told: Remembered):
    return find_residual(tries(told.story.case()), Layer.TLS)


def test_two_bouts_are_timed_by_the_better_of_both() -> None:
    residual = found(twice("reset"))
    assert residual is not None
    assert (residual.bouts, round(residual.at_least_s), round(residual.at_most_s)) == (2, 30, 95)
    assert "30.1 s at least" in residual.length
    assert "2 times" in residual.length


def test_a_neutral_name_that_is_dead_without_a_trigger_is_an_outage() -> None:
    story = Remembered("reset", over_tls=True).check().dead().dead().wait(COOL_DOWN_S).neutrals(5)
    story.dead().neutrals(5).name().dead(Design.RESIDUAL).wait(95).neutral(Design.RESIDUAL)
    assert find_bouts(tries(story.story.case()), Layer.TLS)[1] == 1
    assert found(story) is None


def test_one_bout_may_be_an_outage() -> None:
    assert found(short_outage("reset")) is None


def test_a_place_that_does_not_come_back_proves_nothing() -> None:
    story = Remembered("reset", over_tls=True).check().dead().dead().wait(COOL_DOWN_S).neutrals(5)
    for _ in SAMPLES:
        story.name().dead(Design.RESIDUAL).wait(40)
    assert found(story) is None


def test_a_name_after_which_a_neutral_one_passed_at_once_speaks_against_it() -> None:
    assert found(twice("reset").wait(COOL_DOWN_S).name().neutral()) is None


def test_a_name_after_which_nobody_looked_speaks_for_nothing() -> None:
    assert found(twice("reset").wait(COOL_DOWN_S).name().wait(COOL_DOWN_S).neutral()) == found(twice("reset"))


def test_a_limit_on_connections_is_no_memory() -> None:
    """Six connections a minute: the seventh is dead, and a server that breaks on its own name does the rest."""
    story = Remembered("reset", over_tls=True).check().neutrals(5).dead().wait(COOL_DOWN_S).neutrals(5).name()
    assert found(story.dead(Design.RESIDUAL).wait(95).neutral(Design.RESIDUAL)) is None


def test_a_connect_that_needed_a_second_packet_was_dead_at_first() -> None:
    story = Remembered("reset", over_tls=True).check().neutral()
    first, slow = (o for o in story.story.observations if getattr(o, "endpoint", None) and not hasattr(o, "chain"))
    assert first.t_s - first.t0_s < 1.0
    index = story.story.observations.index(slow)
    story.story.observations[index] = type(slow)(
        transaction=slow.transaction, t0_s=slow.t0_s, t_s=slow.t0_s + 1.05, experiment=slow.experiment, role=slow.role,
        endpoint=slow.endpoint,
    )  # fmt: skip
    ((bout,), strays) = find_bouts(tries(story.story.case()), Layer.TLS)
    assert (len(bout.dead_s), strays, bout.alive_s is not None) == (1, 0, True)


def test_samples_fit_into_the_final_verdict_of_seven_minutes() -> None:
    late_s = COOL_DOWN_S + 5 * 1.0 + 10.0 + sum(sample_delays(COOL_DOWN_S)) + len(SAMPLES) * SAMPLE_WITHIN_S
    assert late_s <= 420.0
    assert sample_delays(3.0) == (0.0,) * len(SAMPLES)


def test_the_late_design_asks_after_the_first_test_and_leaves_out_what_is_moot() -> None:
    story = Remembered("reset", over_tls=True).check().dead().dead()
    (late,) = plan(story.story.case()).later
    kinds = [(e.design, e.name_kind) for e in late.experiments]
    assert kinds[:5] == [(Design.SNI, NameKind.NEUTRAL)] * 5
    assert kinds[5] == (Design.SNI, NameKind.TEST)
    assert kinds[6:12] == [(Design.RESIDUAL, NameKind.NEUTRAL)] * len(SAMPLES)
    assert kinds[12:] == [(Design.SNI, NameKind.TEST)] * 4
    samples, tests = late.experiments[6:12], late.experiments[12:]

    def moot(*outcomes: str) -> tuple[list[bool], list[bool]]:
        run = Story()
        for sample, outcome in zip(samples, outcomes, strict=False):
            run.experiments.append(sample)
            run.tcp("silent" if outcome == "dead" else "ok", experiment=sample)
            if outcome == "passes":
                run.tls(experiment=sample)
        rows = build_table(run.case(cold_start=True))
        return [is_moot(e, rows) for e in samples[len(outcomes) :]], [is_moot(e, rows) for e in tests]

    assert moot() == ([False, *[True] * 5], [False] * 4)
    assert moot("passes") == ([True] * 5, [False] * 4)
    assert moot("dead") == ([False] * 5, [True] * 4)
    assert moot("dead", "dead", "passes") == ([True] * 3, [True] * 4)


def test_explain_says_when_each_sample_was_taken_and_for_how_long_the_place_was_dead() -> None:
    case = twice("reset").story.case()
    verdict = judge(case)
    assert verdict.summary.endswith("dead for 30.1 s at least, 95.3 s at most.")
    told = measured(case, verdict=verdict)
    (cell,) = [cell for cell in build_cells(told) if cell.design is Design.RESIDUAL]
    assert cell.counted == "+0.1 s no answer, +30.1 s no answer, +95.2 s ok"


@given(memory_s=st.floats(0.5, 150.0), outcome=st.sampled_from(["reset", "fin", "silent"]))
@settings(max_examples=60, deadline=None)
def test_whatever_a_filter_remembers_lies_between_the_bounds(memory_s: float, outcome: str) -> None:
    def ask(story: Remembered, since_s: float, design: Design | None = None) -> bool:
        dead = story.story.now_s - since_s < memory_s
        (story.dead if dead else story.neutral)(design)
        return dead

    story = Remembered(outcome, over_tls=True).check()
    since_s = story.story.now_s - 0.05
    ask(story, since_s)
    ask(story, since_s)
    story.wait(COOL_DOWN_S).neutrals(5).name()
    since_s = story.story.now_s - 0.05
    for number, delay_s in enumerate(sample_delays(COOL_DOWN_S)):
        story.wait(delay_s)
        if not ask(story, since_s, Design.RESIDUAL):
            break
        story.wait(SAMPLE_WITHIN_S if number else 0.0)
    residual = found(story)
    assert residual is not None
    assert residual.at_least_s <= memory_s <= residual.at_most_s
    assert judge(story.story.case()).status is Status.BLOCKED


@given(up=st.lists(st.booleans(), min_size=12, max_size=12), names=st.lists(st.booleans(), min_size=12, max_size=12))
@settings(max_examples=300, deadline=None)
def test_a_host_that_comes_and_goes_as_it_likes_is_not_accused_by_an_artefact(
    up: list[bool], names: list[bool]
) -> None:
    """Whatever its rhythm, unless five neutral names in a row happen to pass just before."""
    story = Remembered("reset", over_tls=True).check()
    run = 0
    for alive, named in zip(up, names, strict=True):
        if named and alive:
            story.name()
            run = 0
        elif not named:
            (story.neutral if alive else story.dead)()
            run = run + 1 if alive else 0
        if run >= 5:
            return
    verdict = judge(story.story.case())
    assert verdict.confidence is not Confidence.C3
