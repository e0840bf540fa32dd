"""The application server: clients know only it, and it alone talks to PostgreSQL. It stands above the kernel.

settings.py   server.toml: where the server lives and what it allows
vault.py      secrets at rest: DSNs of infobases, the passphrase of backups
cluster.py    the cluster's own database: schema, administrators; infobases.py the registry, logins.py sessions and throttling,
              object_locks.py pessimistic locks
bases.py      infobases a worker process has open
calls/        the table of business calls; live.py interactive transactions; once.py idempotency keys and repeats
app.py        the ASGI application; api.py, admin.py, files.py, health.py its parts
worker.py     the loop every worker process runs; metrics.py; threads.py where calls block; process.py start and stop
commands/     `infobase server ...`
"""
