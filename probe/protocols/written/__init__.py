"""What people write: links, resolvers, YAML, and the keys of its mappings."""
