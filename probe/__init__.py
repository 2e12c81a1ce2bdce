"""Wallprobe tells which sites and VPN endpoints a network blocks, how, and since when."""

__version__ = "0.1.0"
