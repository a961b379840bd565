"""A real OpenID provider for tests and the demo: npm's oidc-provider, and a bench of its faults."""
