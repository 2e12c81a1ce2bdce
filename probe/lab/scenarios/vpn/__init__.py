"""Tunnels as targets."""
