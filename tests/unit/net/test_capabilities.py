"""Capabilities can be masked, to see what a poorer host would say."""

import pytest

from probe.model.errors import UserError
from probe.net.capabilities import ALL, LINUX_ONLY, MASK_VARIABLE, Capabilities, mask_capabilities
from probe.net.stack import Stack


def test_nothing_is_masked_unless_said() -> None:
    assert mask_capabilities(ALL, "") == ALL


def test_linuxs_own_options_are_masked_together() -> None:
    left = mask_capabilities(ALL, "linux")
    assert [name for name in Capabilities.__struct_fields__ if not getattr(left, name)] == list(LINUX_ONLY)


def test_single_ones_are_masked_by_name() -> None:
    left = mask_capabilities(ALL, "tcp_info, raw_socket")
    assert (left.tcp_info, left.raw_socket, left.error_queue) == (False, False, True)


def test_what_is_no_capability_is_an_error_of_the_users() -> None:
    with pytest.raises(UserError, match="there is no 'tcp_inf' to mask"):
        mask_capabilities(ALL, "tcp_inf")


async def test_a_stack_minds_the_mask(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(MASK_VARIABLE, "linux")
    stack = Stack.open()
    assert not any(getattr(stack.capabilities, name) for name in LINUX_ONLY)
    assert not stack.dns.capabilities.reply_ttl
    await stack.close()
