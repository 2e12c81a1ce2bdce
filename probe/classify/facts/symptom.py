"""How a run failed, in as few words as decide whether an earlier run's evidence still speaks of it.

Source: CONTRACT section 4: experiments run on change, that is on another symptom (stage, code); a later run with the
same symptom inherits the evidence by reference.
"""

from probe.model.observation import DNSLookup, HTTPExchange, Observation, Role, TCPConnect

Symptom = tuple[tuple[int, str, str], ...]


def inherits(own: tuple[Observation, ...], cited: tuple[Observation, ...]) -> bool:
    """Tell whether a run may lean on an earlier one's evidence: nothing went wrong in it that did not before.

    True as well while nothing has failed yet, and for a run that made experiments only.
    """
    return set(find_symptom(own)) <= set(find_symptom(cited))


def find_symptom(observations: tuple[Observation, ...]) -> Symptom:
    """Return (hop, step, code) of everything of the check itself that went wrong, each once; empty = all went well."""
    found = set()
    for observation in observations:
        if observation.role is not Role.TARGET or observation.experiment:
            continue
        if observation.failure is not None:
            found.add((observation.hop, _step(observation), observation.failure.code.value))
        elif isinstance(observation, TCPConnect) and observation.syn_retransmits:
            found.add((observation.hop, "tcpconnect", "sent_again"))
        elif isinstance(observation, DNSLookup) and len(observation.replies) > 1:
            found.add((observation.hop, "dns", "several_replies"))
        elif isinstance(observation, HTTPExchange) and (observation.status >= 400 or not observation.secure):
            found.add((observation.hop, "http", f"{observation.status}:{observation.title[:40]}"))
    return tuple(sorted(found))


def _step(observation: Observation) -> str:
    return type(observation).__name__.lower()
