"""The commands of the `infobase` program, one module per family; `cli.py` assembles them.

interface.py   click classes with two languages      runner.py   errors -> message and exit code
output.py      tables, JSON, progress                access.py   from CONN and credentials to a session
bases.py  content.py  moving.py  configuration.py  users.py  listing.py  log.py  querying.py   the families
"""
