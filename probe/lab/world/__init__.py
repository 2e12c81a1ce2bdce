"""The world beyond the censor: names, addresses, servers and resolvers, all in one asyncio process."""
