"""HTTP/1.1 as bytes, what a body says, and where a header leads."""
