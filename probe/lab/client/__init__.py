"""What runs in the client: the agent, and what may be beside it."""
