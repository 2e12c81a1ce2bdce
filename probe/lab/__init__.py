"""A censored Internet on one machine: client, access line, censor and world in network namespaces, real packets."""
