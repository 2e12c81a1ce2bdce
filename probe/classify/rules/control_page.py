"""Rules that hold an exchange, or what it led to, against what controls got for the same address: family B."""

from probe.classify.facts.control_view import ControlView
from probe.classify.facts.page_facts import (
    REFUSAL,
    is_moved_in_the_clear,
    is_moved_untold,
    landed_on_block_page,
    landing_page,
    leads_to,
)
from probe.classify.facts.pages import differ
from probe.classify.facts.path_facts import PathFacts, host_of
from probe.model.observation import HTTPExchange


def is_sent_elsewhere(facts: PathFacts) -> bool:
    """Tell whether we are led to a block page in the clear, and not over https as far as that is known."""
    return (is_moved_in_the_clear(facts) or is_moved_untold(facts)) and landed_on_block_page(facts)


def is_sent_away(facts: PathFacts) -> bool:
    """Tell whether a redirect in the clear ends at another site's page that came in the clear as well."""
    landing = landing_page(facts)
    return is_moved_untold(facts) and landing is not None and not landing.secure and 0 < landing.status < REFUSAL


def gets_another_page(facts: PathFacts, view: ControlView) -> bool:
    """Tell whether a control was not led where we were, and what it got in the end is plainly another page."""
    landing, theirs = landing_page(facts), view.page
    if landing is None or theirs is None or theirs.status >= REFUSAL or not stays_for_control(facts, view):
        return False
    return differ(landing, theirs)


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
