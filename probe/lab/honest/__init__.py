"""Honest networks drawn by lot, for the hunt for false accusations."""
