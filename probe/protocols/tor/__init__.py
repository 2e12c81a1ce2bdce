"""Tor's links, and the obfs4 that hides them."""
