"""What a run saw, with what is known beforehand: all that planning and judging may look at."""

from probe.classify.case import Case
from probe.model.control import ControlReport
from probe.model.target import CheckName, Target
from probe.pipeline.environment import Environment
from probe.pipeline.wish import Wish


def build_case(
    environment: Environment, target: Target, wish: Wish, controls: tuple[ControlReport, ...], **seen: object
) -> Case:
    """Join what a run saw with what is known beforehand."""
    return Case(
        target=target,
        vantage=environment.vantage,
        cites=wish.cites,
        controls=(*(report for citation in wish.cites for report in citation.controls), *controls),
        resolvers=environment.resolvers,
        nowhere=environment.settings.nowhere,
        neutral_names=environment.neutral_names,
        reference=environment.reference,
        cool_down_s=environment.settings.limits.cool_down_s,
        round_apart_s=environment.settings.limits.rounds_apart_s,
        cold_start=bool(wish.pending),
        deep=wish.deep,
        references=environment.references if target.check is CheckName.VPN else (),
        spacing_s=environment.settings.limits.handshakes_apart_s,
        tries=wish.tries,
        **seen,  # type: ignore[arg-type]
    )
