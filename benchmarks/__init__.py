"""Measurements of the hot paths, each beside the raw driver doing the same work in the same run.

infobase bench run                            everything, both engines
infobase bench run posting save --engine file
infobase bench run dump --rows 1000000 --save run.json
"""
