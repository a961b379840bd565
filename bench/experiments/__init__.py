"""Experiments behind docs/scale.md: what a site of ten and a hundred times this size meets first.

`python -m bench.experiments NAME` runs one, keeps its figures in bench/results/experiments.json
and writes its table into docs/scale.md; without a name it lists them.
"""
