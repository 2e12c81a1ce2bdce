"""The long-lived part: capabilities, the limit of open files, and the words for errors."""

import errno
import os
import ssl
import subprocess
import sys
import textwrap

import pytest

from probe.model.failure import FailureCode, IcmpError, Stage
from probe.net.attempt import build_failure, verify_code_to_failure
from probe.net.capabilities import Capabilities, probe_capabilities
from probe.net.stack import Stack
from tests.unit.net.misbehaving import open_stack, root_file


@pytest.mark.skipif(sys.platform != "linux", reason="options of Linux's")
def test_linux_has_the_options_that_need_no_privilege() -> None:
    found = probe_capabilities()
    assert found.error_queue
    assert found.reply_ttl
    assert found.min_ttl
    assert found.tcp_info


def test_a_host_without_any_capability_can_be_imitated() -> None:
    bare = Capabilities()
    assert not any(getattr(bare, name) for name in bare.__struct_fields__)


async def test_a_stack_opens_and_closes_and_takes_a_mask() -> None:
    stack = Stack.open(ca_file=root_file(), capabilities=Capabilities())
    assert not stack.capabilities.tcp_info
    assert stack.trust.root_store == "file root.pem, 1 root"
    await stack.close()
    stack = open_stack()
    assert stack.capabilities == probe_capabilities()
    await stack.close()


@pytest.mark.skipif(sys.platform == "win32", reason="no such limit")
def test_the_limit_of_open_files_is_raised_to_the_hard_one() -> None:
    code = """
        import resource
        from probe.net.stack import raise_descriptor_limit
        resource.setrlimit(resource.RLIMIT_NOFILE, (100, 200))
        print(raise_descriptor_limit(), resource.getrlimit(resource.RLIMIT_NOFILE), raise_descriptor_limit())
    """
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(code)], capture_output=True, text=True, timeout=60, check=False
    )
    assert done.stdout.strip() == "200 (200, 200) 200", done.stderr


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (TimeoutError(), FailureCode.TIMEOUT),
        (TimeoutError(errno.ETIMEDOUT, "x"), FailureCode.TIMEOUT),
        (ConnectionResetError(errno.ECONNRESET, "x"), FailureCode.CONNECTION_RESET),
        (BrokenPipeError(errno.EPIPE, "x"), FailureCode.CONNECTION_RESET),
        (EOFError(), FailureCode.EOF),
        (OSError(errno.EMFILE, "x"), FailureCode.OUT_OF_DESCRIPTORS),
        (OSError(errno.ENOTTY, "x"), FailureCode.UNKNOWN),
        (ssl.SSLError(1, "x"), FailureCode.SSL_FAILED_HANDSHAKE),
        (ValueError("x"), FailureCode.UNKNOWN),
    ],
)
def test_an_exception_becomes_the_failure_it_means(error: BaseException, code: FailureCode) -> None:
    failure = build_failure(Stage.CONNECT, error)
    assert (failure.stage, failure.code) == (Stage.CONNECT, code)


@pytest.mark.parametrize("number", [errno.EACCES, errno.EPROTO, errno.ENOPROTOOPT])
def test_what_a_router_refused_is_not_our_own_hosts_refusal(number: int) -> None:
    icmp = IcmpError(type=3, code=13, offender="192.0.2.1")
    failure = build_failure(Stage.CONNECT, OSError(number, os.strerror(number)), icmp)
    assert (failure.code, failure.errno, failure.icmp) == (FailureCode.HOST_UNREACHABLE, number, icmp)


@pytest.mark.parametrize(
    ("number", "code"),
    [
        (62, FailureCode.SSL_INVALID_HOSTNAME),
        (64, FailureCode.SSL_INVALID_HOSTNAME),
        (18, FailureCode.SSL_UNKNOWN_AUTHORITY),
        (10, FailureCode.SSL_INVALID_CERTIFICATE),
    ],
)
def test_a_verification_error_is_one_of_three(number: int, code: FailureCode) -> None:
    assert verify_code_to_failure(number) is code
