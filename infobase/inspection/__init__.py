"""What a file of 1C's world is, ours or a genuine one: format and its version, configuration, tables with rows. Nothing is written anywhere.

model.py     what is told of a file            recognise.py   the file's first bytes -> who reads it
ours.py      bases, configurations, dumps      texts.py       lists, logs, session blocks
genuine.py   1C's own binary files, read by `onec_dtools` in a child process (child.py) with limits on its time and memory
"""
