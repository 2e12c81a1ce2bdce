"""A simulated network in which check, planner and judge run to the end, as the pipeline would drive them.

What a connection meets is a function of when it comes, never of the name, unless a test says otherwise.
"""

from collections.abc import Callable

from probe.classify.case import Case
from probe.classify.judge import judge
from probe.classify.plans.plan import plan
from probe.model.experiment import Experiment, NameKind, Step
from probe.model.failure import FailureCode
from probe.model.verdict import Verdict
from tests.unit.classify.cases import OWN, Story

Meets = Callable[[int, str], str]
"""From the number of the connection and the name on it to what it meets: ok, or a way to fail."""
ROUNDS_AT_MOST = 40


class World:
    """One target, its addresses, and what connections and questions meet."""

    def __init__(
        self,
        meets: Meets,
        *,
        secure: bool = True,
        addresses: tuple[str, ...] = (OWN,),
        answers: Callable[[str, str], str | tuple[str, ...] | FailureCode] | None = None,
    ) -> None:
        clear = {"secure": False, "port": 80, "address": "http://www.site.example"}
        self.story = Story() if secure else Story(**clear)
        self.meets = meets
        self.addresses = addresses
        self.answers = answers or (lambda resolver, name: addresses)
        self.connections = 0
        self.pending = 0

    def run(self, **fields: object) -> tuple[Verdict, Case]:
        """Run the check, then whatever the planner wants, until it wants nothing; then what it put off."""
        self._check()
        case = self._follow(fields)
        for pending in plan(case).later:
            self.pending += 1
            self.story.wait(pending.due_in_s)
            self.story.experiments.extend(pending.experiments)
            for experiment in pending.experiments:
                self._make(experiment)
        return judge(self.story.case(**fields)), case

    def _follow(self, fields: dict[str, object]) -> Case:
        for _ in range(ROUNDS_AT_MOST):
            case = self.story.case(**fields)
            wanted = plan(case).now
            if not wanted:
                return case
            self.story.experiments.extend(wanted)
            for experiment in wanted:
                self._make(experiment)
        raise AssertionError("the planner never comes to an end")

    def _check(self) -> None:
        story = self.story
        answer = self.answers("system", story.target.host)
        story.dns(answer) if isinstance(answer, str | FailureCode) else story.dns(tuple(answer))
        if isinstance(answer, FailureCode):
            return
        fetched = False
        for address in self.addresses:
            fetched = self._dial(address, story.target.host, None, fetch=not fetched) or fetched

    def _dial(self, address: str, name: str, experiment: Experiment | None, *, fetch: bool) -> bool:
        story, port = self.story, experiment.endpoint.port if experiment and experiment.endpoint else None
        secure = story.target.secure if experiment is None else experiment.secure
        met = self.meets(self.connections, name)
        self.connections += 1
        only_connect = experiment is not None and experiment.step in (Step.CONNECT, Step.HOLD)
        if met in ("refused", "unreachable", "no_descriptors"):
            story.tcp(met, address=address, port=port, experiment=experiment)
            return False
        if only_connect:
            held = experiment is not None and experiment.step is Step.HOLD
            story.tcp("idle_ok" if held else "ok", address=address, port=port, experiment=experiment)
            return False
        story.tcp(address=address, port=port, experiment=experiment)
        if secure or (experiment is not None and experiment.step is Step.HANDSHAKE):
            shape = experiment.shape.value if experiment is not None else "stock"
            story.tls(met, address=address, port=port, experiment=experiment, hello_shape=shape)
            met = "ok" if met == "ok" else ""
        if not met or not fetch or (experiment is not None and experiment.step is Step.HANDSHAKE):
            return False
        story.http(met, address=address, port=port, experiment=experiment, secure=secure)
        return met == "ok"

    def _make(self, experiment: Experiment) -> None:
        if experiment.step is Step.LOOKUP:
            asked = str(experiment.resolver) if experiment.resolver and not experiment.resolver.system else "system"
            answer = self.answers(asked, experiment.name)
            given = answer if isinstance(answer, str | FailureCode) else tuple(answer)
            resolver = {} if experiment.resolver is None else {"resolver": experiment.resolver}
            self.story.dns(given, experiment=experiment, query_type=experiment.query_type, **resolver)
        elif experiment.endpoint is not None:
            fetch = experiment.step is Step.FETCH
            name = experiment.name if experiment.name_kind is not NameKind.NONE else ""
            self._dial(experiment.endpoint.address, name, experiment, fetch=fetch)
