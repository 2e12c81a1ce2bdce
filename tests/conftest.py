"""What all tests share: signals as a terminal would give them."""

import signal


def pytest_configure() -> None:
    """Undo an inherited `SIG_IGN`: a shell's background job ignores SIGINT, and so would every process tests start."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)
