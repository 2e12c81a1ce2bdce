"""Gateways of offices: VPNs whose login is a page over TLS."""
