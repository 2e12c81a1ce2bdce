"""Protocols that own their randomness: still bytes in, bytes out, but not replayable byte for byte."""
