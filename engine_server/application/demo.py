"""The demonstration base of a new server; what goes into it is provided by installed packages (entry points `infobase.demonstrations`)."""

from __future__ import annotations

from importlib.metadata import entry_points

from engine_server.application import infobases
from engine_server.application import vault as vaults
from engine_server.application.cluster import ClusterDatabase
from engine_server.application.jobs_loop import add_standard_jobs
from engine_server.application.settings import ServerHome
from engine_server.application.state import Worker, cluster_place, embedded
from engine_server.engine import ServerEngine
from infobase.errors import InfobaseNotFound, UsageError
from infobase.i18n import text

NAME = "demo"
GROUP = "infobase.demonstrations"


def add(home: ServerHome) -> bool:
    """Make and register the base `demo`; False when it is there already. The server must not run."""
    vault = vaults.load(home.folder)
    started = embedded(home) if home.settings.embedded else None
    cluster = ClusterDatabase(cluster_place(home, vault, started), vault)
    try:
        try:
            infobases.find(cluster, NAME)
            return False
        except InfobaseNotFound:
            _make(cluster)
            _add_jobs(home)
            return True
    finally:
        cluster.close()
        if started is not None:
            started.stop()


def _make(cluster: ClusterDatabase) -> None:
    found = list(entry_points(group=GROUP))
    if not found:
        raise UsageError(detail=text(ru="нет пакета с демонстрацией", en="no package provides a demonstration"))
    place = cluster.place.at(f"{cluster.place.database}_{NAME}")
    engine = ServerEngine(place)
    try:
        found[0].load()(engine)
        infobases.register(cluster, NAME, place)
    finally:
        engine.close()


def _add_jobs(home: ServerHome) -> None:
    """The same jobs every base of a server has."""
    worker = Worker(home)
    try:
        add_standard_jobs(worker, infobases.find(worker.cluster, NAME))
    finally:
        worker.close()
