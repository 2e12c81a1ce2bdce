"""SSH: packets, key exchange, and what is asked behind it."""
