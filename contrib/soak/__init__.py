"""The soak: a stream of decisions while everything under them is killed and fails at random.

`make soak MINUTES=5`. It stands outside of Remit: people come by the REST API, what became of
it is read with plain SQL and from the cloud itself; no code of the domain is imported.
"""
