"""The lab's AS data is a file that the agent's own reader understands."""

from probe.knowledge.asn import AsnLookup
from probe.lab.world.atlas import ROUTERS_V4, ROUTERS_V6
from probe.lab.world.networks import ACCESS_AS, build_asn_file


def test_routers_belong_to_the_access_network_then_to_transit_then_to_a_hoster(tmp_path):
    path = tmp_path / "asn.mmdb"
    path.write_bytes(build_asn_file())
    with AsnLookup.open(str(path)) as lookup:
        assert [lookup.asn_of(address) for address in ROUTERS_V4[:3]] == [ACCESS_AS] * 3
        assert [lookup.asn_of(address) for address in ROUTERS_V6[:3]] == [ACCESS_AS] * 3
        assert lookup.asn_of(ROUTERS_V4[3]) not in (0, ACCESS_AS)
        assert lookup.asn_of(ROUTERS_V4[-1]) == lookup.asn_of(ROUTERS_V6[-1]) > 0
        assert lookup.asn_of("8.8.8.8") == 0
