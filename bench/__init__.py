"""A large site, measured: `make bench` makes it, measures Remit on it and writes what it found.

Each figure stands beside a floor on the same server, database and client. Nobody imports from here.
"""
