"""What a tunnel that answers was not asked, so that nobody takes a proof of the server for a working login. Pure."""

from probe.model.depth import Depth
from probe.model.measurement import Measurement
from probe.model.target import CheckName

_PASSWORDS = frozenset({"login", "password"})
_IDENTITIES = frozenset({"cert", "pkcs12"})


def name_untried(measurement: Measurement) -> str:
    """Return what stays open, and how to try it; empty = nothing that its owner has the means for."""
    target, verdict = measurement.target, measurement.verdict
    if target.check is not CheckName.VPN or not target.secrets or not verdict.status.reachable:
        return ""
    held = target.secrets.keys()
    is_openvpn = target.params.get("protocol") == "openvpn"
    if is_openvpn and verdict.depth.rank < Depth.PROOF.rank and "depth" not in target.params:
        locked = "its PKCS #12 has a passphrase" if "pkcs12" in held else "the file names no CA"
        return f"whose server it is: {locked}"
    if verdict.depth.rank < Depth.AUTH.rank and (_PASSWORDS & held or target.params.get("asks") == "password"):
        return "the login; --login sends the password, once"
    if is_openvpn and verdict.depth.rank < Depth.AUTH.rank and _IDENTITIES & held:
        return "the login; --depth data logs in, which may end the session of whoever uses this certificate"
    if verdict.depth.rank < Depth.DATA.rank and target.params.get("protocol") == "wireguard":
        return "traffic through it; --depth data sends some"
    return ""
