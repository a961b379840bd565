"""A cloud of thousands of projects, and what it costs to import, deliver to and observe it.

`python -m contrib.scale --projects 5000` makes one, works on it with the verbs of workers and
commands, and prints what each step took. docs/scale.md has the figures of a run.
"""
