"""What all tests share: signals as a terminal would give them, and what workers have to show."""

import signal

import pytest
from hypothesis import settings

settings.register_profile("busy machine", deadline=None)
settings.load_profile("busy machine")


def pytest_configure() -> None:
    """Undo an inherited `SIG_IGN`: a shell's background job ignores SIGINT, and so would every process tests start."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node, error):
    """Print what a worker has to show beside its results: its own standard output goes nowhere."""
    for text in getattr(node, "workeroutput", {}).get("shown", ()):
        print(text)
