"""The demo site: `site.yaml` is its catalogue and people, the rest gives it a past.

Everything happens through the verbs of the domain, with `now` moved back, so that the demo
has transfers, decisions and proofs like a site that has run for months.
"""
