"""DNS messages as bytes: the quick codec, the whole of it by dnspython, and what a reply says."""
