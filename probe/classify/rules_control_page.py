"""Rules that hold an exchange, or what it led to, against what controls got for the same address: family B."""

from probe.classify.control_view import ControlView
from probe.classify.facts import PathFacts, host_of
from probe.classify.page_facts import is_moved_in_the_clear, landed_on_block_page, leads_to
from probe.model.observation import HTTPExchange


def is_sent_elsewhere(facts: PathFacts) -> bool:
    """Tell whether we are led to a block page in the clear, and nowhere over https."""
    return is_moved_in_the_clear(facts) and landed_on_block_page(facts)


def stays_for_control(facts: PathFacts, view: ControlView) -> bool:
    """Tell whether a control that asked for the same address was not redirected to where we were."""
    page = facts.exchange
    theirs = view.first_page
    return page is not None and theirs is not None and bool(theirs.status) and leads_to(theirs) != leads_to(page)


def got_same_address(facts: PathFacts, view: ControlView) -> bool:
    """Tell whether a control was answered at the very address of a page that a redirect led us to."""
    page = facts.exchange
    return page is not None and any(_is_same(page, other) for other in view.answered_pages)


def _is_same(ours: HTTPExchange, theirs: HTTPExchange) -> bool:
    return theirs.secure is ours.secure and host_of(theirs.url) == host_of(ours.url)
