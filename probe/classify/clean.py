"""The happy path: tell in a few microseconds that nothing is wrong, and say so without building a table.

`judge` gives the same verdict for the same case; a property test holds the two together.
"""

import functools

from probe.classify.case import Case, judged_families
from probe.classify.tries import is_bogus
from probe.model.endpoint import AddressFamily
from probe.model.observation import DNSLookup, HTTPExchange, Observation, ReplyFit, Role, TCPConnect, TLSHandshake
from probe.model.target import CheckName
from probe.model.verdict import Confidence, Depth, Status, Verdict

_ADDRESS_TYPES = ("A", "AAAA")


def looks_clean(observation: Observation) -> bool:
    """Tell whether an observation gives the planner nothing to do."""
    if observation.failure is not None or observation.role is not Role.TARGET:
        return False
    if isinstance(observation, DNSLookup):
        replies = observation.replies
        if len(replies) != 1 or replies[0].fit is not ReplyFit.OURS:
            return observation.resolver.endpoint is None
        return not any(answer.type in _ADDRESS_TYPES and is_bogus(answer.value) for answer in replies[0].answers)
    if isinstance(observation, TCPConnect):
        return not observation.syn_retransmits
    if isinstance(observation, HTTPExchange):
        return observation.secure and 200 <= observation.status < 400 and observation.ending is None
    return True


def judge_clean(case: Case) -> Verdict | None:
    """Return the verdict of a web check in which every step succeeded under a valid certificate; else `None`."""
    if case.target.check is not CheckName.WEB or case.target.expect is not None or case.experiments or case.cites:
        return None
    proven = paged = False
    families = judged_families(case)
    tried = {4: set[str](), 6: set[str]()}
    for observation in case.observations:
        if not looks_clean(observation):
            return None
        match observation:
            case TCPConnect(hop=0, endpoint=endpoint):
                if endpoint.family in families:
                    tried[endpoint.family].add(endpoint.address)
            case TLSHandshake():
                if not observation.verified:
                    return None
                proven = True
            case HTTPExchange():
                paged = not observation.location
            case _:
                pass
    if not (proven and paged) or not any(tried.values()):
        return None
    return _well(len(tried[AddressFamily.V4]), len(tried[AddressFamily.V6]))


@functools.lru_cache(maxsize=64)
def _well(v4: int, v6: int) -> Verdict:
    """Return what is said of most targets most of the time: one value for all of them."""
    return Verdict(
        status=Status.OK,
        confidence=Confidence.C2,
        depth=Depth.PAGE,
        summary="It works.",
        addresses=(v4, v4, v6, v6),
    )
