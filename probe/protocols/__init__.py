"""Wire formats and dialogues, sans-IO: bytes in, bytes out."""
