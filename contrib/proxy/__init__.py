"""A fault proxy in front of the services of a cloud, for tests and rehearsals.

Each service of each region gets a port of its own on loopback, and every call passes the
same fault bench as in the sandbox. `python -m contrib.proxy --help`.
"""
