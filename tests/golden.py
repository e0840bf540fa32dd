"""Bases for tests as copies of one that was made before: making one anew, with all its tables, takes many times longer than copying it."""

from __future__ import annotations

import atexit
import hashlib
import os
import shutil
import tempfile
from functools import cache
from pathlib import Path

from infobase import users
from infobase.infobase import lay_out, staged, write_identity
from infobase.kernel import Kernel
from infobase.metadata import canonical
from infobase.metadata.model import Configuration
from infobase.rights import administrator_roles
from infobase.storage import StorageEngine


def create_copy(engine: StorageEngine, configuration: Configuration, *, name: str, admin: str = "") -> None:
    """What `infobase.infobase.create` does: a new base at a free place, with an id of its own."""
    assert not engine.exists()
    golden = _golden(engine, configuration)
    store = engine.clone_from(golden)
    golden.close()
    try:
        kernel = Kernel(configuration, store)
        with store.transaction(write=True) as tx:
            write_identity(kernel, tx, name)
            if admin:
                users.add_user(kernel, tx, admin, "", administrator_roles(configuration), allow_empty=True)
        engine.publish(store, replace=False)
    except BaseException:
        store.drop()
        raise
    finally:
        store.close()


def _golden(engine: StorageEngine, configuration: Configuration) -> StorageEngine:
    digest = canonical.digest(configuration)
    key = hashlib.sha256(f"{digest} {os.getpid()}".encode()).hexdigest()[:16]
    golden = engine.golden(key, _folder())
    if not golden.exists():
        with staged(golden, replace=True) as store:
            kernel = lay_out(store, configuration)
            with store.transaction(write=True) as tx:
                write_identity(kernel, tx, "golden")
    return golden


@cache
def _folder() -> Path:
    made = Path(tempfile.mkdtemp(prefix="infobase-test-golden-"))
    atexit.register(shutil.rmtree, made, ignore_errors=True)
    return made
