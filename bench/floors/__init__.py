"""The least that a page, a list of the API or a change costs here: what Remit is compared with.

Plain Django views on the tables of the same site, with sessions and authentication and nothing of
Remit's own, served by the same process on the same connections. They are what a good engineer
would write who has to show these rows and nothing else: no frame, no rules, no words to translate.
docs/performance.md says what each reads.
"""
