"""The outside view: a server that measures for others from an uncensored place, and the client that asks it."""
