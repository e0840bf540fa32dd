"""Fixtures every test may use. `pg_url`: a running scratch PostgreSQL; `pg_database`: the name of a database free for one test."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, settings

from infobase import i18n
from tests import postgres

settings.register_profile("busy machines too", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("busy machines too")


@pytest.fixture(scope="session", autouse=True)
def own_cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Golden bases of templates go to a scratch folder, not to the cache of whoever runs the tests."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("INFOBASE_CACHE", str(tmp_path_factory.mktemp("cache")))
        yield


@pytest.fixture(autouse=True)
def own_language(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Every test begins in Russian, whatever the locale says and whichever language the one before it asked for."""
    monkeypatch.setenv("INFOBASE_LANG", os.environ.get("INFOBASE_LANG") or "ru")
    token = i18n._language.set("")
    yield
    i18n._language.reset(token)


@pytest.fixture(scope="session")
def pg_url() -> Iterator[str]:
    with postgres.scratch_cluster() as url:
        yield url


@pytest.fixture
def pg_database(pg_url: str) -> Iterator[str]:
    """A name; whatever database is made under it (staged ones too) is removed afterwards."""
    name = postgres.fresh_name()
    yield name
    postgres.drop_databases(pg_url, name)
