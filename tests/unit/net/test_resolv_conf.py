"""resolv.conf as people and programs write it."""

import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from probe.net.resolv_conf import ResolvConfFile, parse_resolv_conf


def addresses(text: str) -> list[str]:
    return [resolver.endpoint.address for resolver in parse_resolv_conf(text).resolvers if resolver.endpoint]


def test_nameservers_are_read_in_their_order_and_are_the_systems() -> None:
    conf = parse_resolv_conf("# comment\nnameserver 192.0.2.1\nsearch example.com\nnameserver\t2001:DB8::0:1 # x\n")
    assert [str(resolver) for resolver in conf.resolvers] == ["udp://192.0.2.1:53", "udp://[2001:db8::1]:53"]
    assert all(resolver.system for resolver in conf.resolvers)


def test_a_link_local_nameserver_keeps_its_zone() -> None:
    assert addresses("nameserver fe80::1%eth0") == ["fe80::1%eth0"]


@pytest.mark.parametrize(("text", "local"), [("nameserver 0.0.0.0", "127.0.0.1"), ("nameserver ::", "::1")])
def test_the_unspecified_address_means_this_host(text: str, local: str) -> None:
    assert addresses(text) == [local]


@pytest.mark.parametrize(
    "text", ["", "search example.com", "nameserver", "nameserver example.com", "#nameserver 9.9.9.9"]
)
def test_no_nameserver_means_this_host(text: str) -> None:
    assert addresses(text) == ["127.0.0.1"]


def test_only_the_first_three_count() -> None:
    assert len(addresses("".join(f"nameserver 192.0.2.{n}\n" for n in range(9)))) == 3


def test_the_timeout_is_noted_within_bounds() -> None:
    assert parse_resolv_conf("options rotate timeout:2 attempts:99 timeout: ndots:5\n").timeout_s == 2
    assert parse_resolv_conf("options timeout:0").timeout_s == 1
    assert parse_resolv_conf("options timeout:9999").timeout_s == 30


def test_garbage_lines_are_skipped() -> None:
    text = "\x00\x01\nnameserver 300.1.1.1\nnameserver 1.2.3.4%eth0\noptions timeout:²\n\nnameserver 9.9.9.9 trailing\n"
    assert addresses(text) == ["9.9.9.9"]


@given(st.text(max_size=200))
def test_any_text_gives_at_least_one_nameserver(text: str) -> None:
    assert parse_resolv_conf(text).resolvers


@given(
    st.lists(st.sampled_from(["nameserver", "options", "timeout:", "9.9.9.9", "::1%", "\n", " ", "\t", "#", "9" * 30]))
)
def test_any_mixture_of_words_gives_at_least_one_nameserver(words: list[str]) -> None:
    assert parse_resolv_conf("".join(words)).resolvers


def test_a_changed_file_is_read_again(tmp_path: Path) -> None:
    path = tmp_path / "resolv.conf"
    file = ResolvConfFile(str(path))
    assert str(file.current().resolvers[0]) == "udp://127.0.0.1:53"
    path.write_text("nameserver 192.0.2.1\n")
    assert str(file.current().resolvers[0]) == "udp://192.0.2.1:53"
    first = file.current()
    assert file.current() is first
    replaced = tmp_path / "new"
    replaced.write_text("nameserver 192.0.2.2\n")
    os.replace(replaced, path)
    assert str(file.current().resolvers[0]) == "udp://192.0.2.2:53"
    path.unlink()
    assert str(file.current().resolvers[0]) == "udp://127.0.0.1:53"


def test_a_file_that_is_no_file_says_nothing(tmp_path: Path) -> None:
    assert ResolvConfFile(str(tmp_path)).current().resolvers


def test_bytes_that_are_no_text_are_survived(tmp_path: Path) -> None:
    path = tmp_path / "resolv.conf"
    path.write_bytes(b"\xff\xfe\nnameserver 9.9.9.9\n")
    assert str(ResolvConfFile(str(path)).current().resolvers[0]) == "udp://9.9.9.9:53"
