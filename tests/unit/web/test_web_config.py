"""The file format of exporter-toolkit, read."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from probe.model.errors import UserError
from probe.web.web_config import parse_web_config

HASH = "$2y$10$QOauhQNbBCuQDKes6eFzPeMqBSjb7Mr5DUmpZ/VcEd00UAV/LDeSi"
FULL = f"""
tls_server_config:
  cert_file: server.crt
  key_file: server.key
  client_auth_type: RequireAndVerifyClientCert
  client_ca_file: ca.crt
  client_allowed_sans: [prometheus.example]
  min_version: TLS12
  max_version: TLS13
  cipher_suites: [TLS_AES_128_GCM_SHA256]
  prefer_server_cipher_suites: true
  curve_preferences: [CurveP256]
http_server_config:
  http2: true
  headers:
    Content-Security-Policy: default-src 'self'
    Strict-Transport-Security: max-age=31536000
    X-Frame-Options: sameorigin
    X-Content-Type-Options: nosniff
    X-XSS-Protection: "0"
basic_auth_users:
  prometheus: {HASH}
rate_limit:
  interval: 100ms
  burst: 20
"""


def parse(text: str):
    return parse_web_config(text.encode(), "web.yml")


def test_every_key_of_the_format_is_read():
    config = parse(FULL)
    assert config.tls_server_config is not None
    assert config.tls_server_config.client_allowed_sans == ("prometheus.example",)
    assert config.basic_auth_users == {"prometheus": HASH}
    assert (config.rate_limit.interval_s, config.rate_limit.burst) == (0.1, 20)
    assert config.protects


@pytest.mark.parametrize("text", ["", "{}", "rate_limit: {interval: 1s}", "http_server_config: {http2: false}"])
def test_a_file_may_protect_nothing_and_says_so(text):
    assert not parse(text).protects


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("[1", "not YAML"),
        ("3", "Expected"),
        ("basic_auth_user: {a: b}", "basic_auth_user"),
        ("tls_server_config: 3", "Expected"),
        ("basic_auth_users: {a: secret}", "no bcrypt hash"),
        (f'basic_auth_users: {{"a:b": {HASH}}}', "colon"),
        (f'basic_auth_users: {{"": {HASH}}}', "empty"),
        (f"basic_auth_users: {{a: {HASH.replace('$10$', '$99$')}}}", "no bcrypt hash"),
        ("http_server_config: {headers: {Server: x}}", "cannot be set"),
        ("http_server_config: {headers: {X-Frame-Options: maybe}}", "no good"),
        ('http_server_config: {headers: {X-XSS-Protection: "a\\nSet-Cookie: b"}}', "no good"),
        ("rate_limit: {interval: soon}", "no duration"),
        ("rate_limit: {interval: 1s, burst: 0}", "lets nothing through"),
    ],
)
def test_what_is_wrong_is_said_in_one_line_without_the_value(text, says):
    with pytest.raises(UserError, match=says) as refused:
        parse(text)
    assert "\n" not in str(refused.value)
    assert "secret" not in str(refused.value)


def complaint(data: bytes) -> str:
    try:
        parse_web_config(data, "web.yml")
    except UserError as error:
        return str(error)
    return ""


@given(st.binary(max_size=200) | st.text(max_size=100).map(str.encode))
def test_any_bytes_are_a_configuration_or_a_user_error(data):
    assert "\n" not in complaint(data)


@given(st.recursive(st.none() | st.integers() | st.text(max_size=5), lambda inner: st.lists(inner, max_size=3)))
def test_any_value_at_a_key_is_read_or_refused(value):
    assert "\n" not in complaint(f"basic_auth_users: {value!r}\n".encode())
