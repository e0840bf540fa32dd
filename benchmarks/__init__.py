"""Measurements of the hot paths, each beside the raw driver doing the same work in the same run.

python -m benchmarks                 all scenarios, both engines
python -m benchmarks posting save --engine file
python -m benchmarks dump --rows 1000000
"""
