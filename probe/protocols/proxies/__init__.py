"""Proxies: what takes a stream, or datagrams, and relays them."""
