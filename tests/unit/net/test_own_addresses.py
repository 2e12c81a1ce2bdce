import ipaddress

from probe.net.own_addresses import find_own_addresses, has_address


def test_own_addresses_are_read_from_the_kernels_tables(tmp_path):
    (tmp_path / "fib_trie").write_text(
        "Local:\n  +-- 0.0.0.0/0 3 0 5\n     |-- 127.0.0.1\n        /32 host LOCAL\n"
        "     |-- 198.51.100.7\n        /32 host LOCAL\n     |-- 198.51.100.255\n        /32 link BROADCAST\n"
    )
    (tmp_path / "if_inet6").write_text(
        "00000000000000000000000000000001 01 80 10 80       lo\n20010db8000000000000000000000009 02 40 00 80     eth0\n"
    )
    found = find_own_addresses(tmp_path)
    assert {"198.51.100.7", "2001:db8::9"} <= set(found)
    assert not {"198.51.100.255", "127.0.0.1", "::1"} & set(found)


def test_a_host_without_tables_still_gives_addresses_or_none(tmp_path):
    assert all(ipaddress.ip_address(address.partition("%")[0]) for address in find_own_addresses(tmp_path))


def test_an_address_that_can_be_bound_is_only_ours_where_the_kernel_lists_it(tmp_path):
    (tmp_path / "fib_trie").write_text("     |-- 127.0.0.1\n        /32 host LOCAL\n")
    assert has_address("127.0.0.1/8", tmp_path)
    # All of 127/8 can be bound, as any address can under ip_nonlocal_bind.
    assert not has_address("127.7.7.7", tmp_path)
    assert has_address("127.7.7.7", tmp_path / "nowhere"), "without a list, what can be bound counts"
    assert not has_address("192.0.2.77", tmp_path / "nowhere")
    assert not has_address("nonsense")
