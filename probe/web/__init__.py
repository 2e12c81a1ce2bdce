"""The HTTP server: metrics, health, the API and a page, over what it is told through `AgentView`."""
