"""The REST API: every noun and verb of the pages, for programs.

Serializers (`shapes`) only say what goes in and out; what may be seen comes from the
queries, what is done from the actions, and refusals are translated once, in `errors`.
"""
