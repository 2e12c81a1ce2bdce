"""An agent without a network: its targets fail or succeed by what a scripted check does."""

from typing import Any

from probe.daemon.agent import Agent
from probe.daemon.board import Board
from probe.gate import Gate
from probe.model.endpoint import Endpoint
from probe.model.measurement import Measurement
from probe.model.observation import Observation, TCPConnect
from probe.model.settings import Anchors, Limits, Settings
from probe.model.target import CheckName, Target
from probe.model.vantage import Vantage
from probe.model.verdict import Cause, Confidence, Evidence, EvidenceFamily, Status, Verdict
from probe.pipeline.environment import Environment
from probe.pipeline.monitor import VantageMonitor
from probe.schedule import Schedule
from tests.fakes import FakeClock


def target(name: str, **fields: Any) -> Target:
    given = {"check": CheckName.TCP, "address": f"tcp://{name}:7", "host": name, "port": 7, "interval_s": 60.0}
    return Target(id=name, **(given | fields))


def measurement(of: Target, status: Status = Status.OK, *, at: float, **fields: Any) -> Measurement:
    """Return a finished run; `hot` places and `rule` may be given."""
    hot: tuple[Endpoint, ...] = fields.pop("hot", ())
    rule = fields.pop("rule", "")
    evidence = (Evidence(rule_id=rule, family=EvidenceFamily.OBSERVED),) if rule else ()
    observations: tuple[Observation, ...] = tuple(
        TCPConnect(transaction=n, t0_s=0.0, t_s=0.1, endpoint=endpoint, hot=True) for n, endpoint in enumerate(hot, 1)
    )
    cause = Cause.NONE if status is Status.OK else fields.pop("cause", Cause.NETWORK)
    verdict = Verdict(status=status, cause=cause, confidence=Confidence.C2, evidence=evidence)
    return Measurement(
        id=fields.pop("id", f"{of.id}@{at}"), target=of, vantage=Vantage(), started_at=at, runtime_s=0.5,
        observations=observations, verdict=verdict, **fields,
    )  # fmt: skip


class FakeStack:
    def __init__(self, clock: FakeClock) -> None:
        self.clock = clock


def make_agent(*targets: Target, clock: FakeClock | None = None, store: Any = None, states: Any = None) -> Agent:
    clock = clock or FakeClock()
    stack: Any = FakeStack(clock)
    settings = Settings(anchors=Anchors(), limits=Limits(cool_down_s=200.0))
    gate = Gate(settings.limits, clock, None)
    environment = Environment(stack=stack, gate=gate, settings=settings, vantage=Vantage(), neutral_names=())
    agent = Agent(
        environment=environment,
        monitor=VantageMonitor(environment),
        gate=gate,
        store=store,
        schedule=Schedule(seed=0, wall_s=clock.wall_s(), boot_s=clock.boot_s()),
        board=Board(None),
        states=states or {},
    )
    agent.board.replace(targets, None, agent.states, {})
    agent.adopt(targets)
    return agent
