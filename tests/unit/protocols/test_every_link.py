"""What every link and file of the registry must bear: any text is an endpoint or an error that quotes no secret."""

from collections.abc import Callable
from typing import TypeVar

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from probe.protocols import load_specs
from probe.protocols.dialogue import Parsed
from probe.targets.tunnel_texts import parse_link, parse_tunnel_text

SPECS = load_specs()
PLANTED = "pl4ntedw0rd"
TAILS = st.one_of(
    st.text(max_size=60),
    st.text("abc0123456789.:/?#&=%@[]", max_size=60),
    st.lists(st.sampled_from(["sni=a", "insecure=1", "type=ws", "pin=x", "depth=deep", "=", "%", "a=b"]), max_size=4)
    .map("&".join)
    .map("host:443?".__add__),
)  # fmt: skip


Value = TypeVar("Value")


def outcome(read: Callable[[str], Value], text: str) -> Value | str:
    """Return what is read of a text, or what the error says."""
    try:
        return read(text)
    except ValueError as error:
        return str(error)


@pytest.mark.parametrize("name", SPECS)
@given(tail=TAILS)
@settings(max_examples=30, deadline=None)
def test_any_link_is_an_endpoint_or_an_error_without_its_secret(name: str, tail: str) -> None:
    for scheme in SPECS[name].schemes:
        for link in (f"{scheme}://{tail}", f"{scheme}://{PLANTED}@{tail}", f"{scheme}://me:{PLANTED}@{tail}"):
            found = outcome(parse_link, link)
            if isinstance(found, str):
                assert PLANTED not in found
                continue
            shown = {key: value for key, value in found.parsed.params.items() if key != "user"}
            assert PLANTED not in str(shown), "a secret is among what may be shown"


@pytest.mark.parametrize("name", [name for name, spec in SPECS.items() if spec.read_file is not None])
@given(text=st.lists(st.one_of(st.text(max_size=40), st.just(f"key {PLANTED}")), max_size=12).map("\n".join))
@settings(max_examples=60, deadline=None)
def test_any_file_is_read_or_an_error(name: str, text: str) -> None:
    read_file = SPECS[name].read_file
    assert read_file is not None
    for content in (text, f"client\nremote vpn.test\n{text}", f"[Interface]\n[Peer]\nEndpoint = a.test:1\n{text}"):
        found = outcome(read_file, content)
        assert PLANTED not in found if isinstance(found, str) else all(isinstance(one, Parsed) for one in found)


@given(text=st.text(max_size=200), ending=st.sampled_from(["", ".ovpn", ".conf", ".txt"]))
@settings(max_examples=60, deadline=None)
def test_any_text_of_whatever_kind_is_read_or_an_error(text: str, ending: str) -> None:
    assert outcome(lambda content: parse_tunnel_text(content, f"file{ending}").entries, text)
