"""Keys of encrypted backups: one short text file per base, kept outside the base and outside the backups."""

from __future__ import annotations

import hashlib
import os
import secrets
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from infobase.errors import KeyFileInvalid
from infobase.files import sync_folder
from infobase.i18n import text

KEYS_VARIABLE = "INFOBASE_KEYS"
"""Folder of the keys made automatically."""
LEAST_SECRET = 16
"""Characters of the first line of a key file."""


@dataclass(frozen=True)
class BackupKey:
    """`secret` opens the backups; `id` names the key without telling it."""

    place: Path
    secret: str = field(repr=False)

    @property
    def id(self) -> str:
        return hashlib.sha256(b"infobase backup key\0" + self.secret.encode()).hexdigest()[:16]


def keys_folder(environment: Mapping[str, str] | None = None) -> Path:
    env = os.environ if environment is None else environment
    if env.get(KEYS_VARIABLE):
        return Path(env[KEYS_VARIABLE]).expanduser()
    if os.name == "nt" and env.get("APPDATA"):
        return Path(env["APPDATA"]) / "Infobase" / "keys"
    home = Path(env["XDG_CONFIG_HOME"]) if env.get("XDG_CONFIG_HOME") else Path.home() / ".config"
    return home / "infobase" / "keys"


def own_key_place(infobase_id: uuid.UUID | str) -> Path:
    """Where the key of a base lies when no key file is named."""
    return keys_folder() / f"{infobase_id}.key"


def read_key(place: Path) -> BackupKey:
    """Its secret is the first line, at least 16 characters. KeyFileInvalid."""
    try:
        content = place.read_text("utf-8-sig")
    except (OSError, UnicodeDecodeError) as e:
        detail = getattr(e, "strerror", "") or text(ru="это не текст", en="it is no text")
        raise KeyFileInvalid(place=place, detail=detail) from e
    secret = content.split("\n", 1)[0].strip()
    if len(secret) < LEAST_SECRET:
        ru = f"в первой строке меньше {LEAST_SECRET} символов"
        raise KeyFileInvalid(place=place, detail=text(ru=ru, en=f"its first line is below {LEAST_SECRET} characters"))
    return BackupKey(place, secret)


def make_key(place: Path) -> BackupKey:
    """A new random key, readable by its owner alone; the one that is there already is never replaced. KeyFileInvalid."""
    if place.exists():
        return read_key(place)
    secret = secrets.token_urlsafe(32)
    try:
        place.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        handle = os.open(place, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            file.write(secret + "\n")
            file.flush()
            os.fsync(file.fileno())
        sync_folder(place.parent)
    except FileExistsError:
        return read_key(place)
    except OSError as e:
        raise KeyFileInvalid(place=place, detail=e.strerror or str(e)) from e
    return BackupKey(place, secret)
