"""A cloud that was there before: looked at, compared with what Remit can say, and taken over.

Run by operators on machines that hold the workers' credentials; no web process imports it.
"""
