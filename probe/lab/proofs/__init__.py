"""Proofs that a scenario is what it claims: met by plain sockets, without Wallprobe."""
