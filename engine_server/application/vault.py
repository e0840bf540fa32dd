"""Secrets at rest: one key file outside the databases encrypts the DSNs (Fernet: AES-128-CBC with HMAC-SHA256)."""

from __future__ import annotations

import json
import os
import secrets
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from cryptography.fernet import Fernet, InvalidToken

from engine_server.place import ServerPlace
from infobase.errors import SecretUnreadable
from infobase.i18n import text

KEY_FILE = "server.key"


@dataclass(frozen=True)
class Vault:
    """`place`: the key file, for messages; the key itself is never shown."""

    place: Path
    _cipher: Fernet = field(repr=False)
    _key: bytes = field(repr=False)

    def seal(self, secret: str) -> bytes:
        return self._cipher.encrypt(secret.encode())

    def open(self, sealed: bytes) -> str:
        """SecretUnreadable: another key, or a damaged secret."""
        try:
            return self._cipher.decrypt(bytes(sealed)).decode()
        except InvalidToken:
            detail = text(ru="ключ не подходит", en="the key does not fit")
            raise SecretUnreadable(place=self.place, detail=detail) from None

    def seal_place(self, place: ServerPlace) -> bytes:
        made: dict[str, Any] = asdict(place)
        made["cluster"] = str(place.cluster) if place.cluster else None
        return self.seal(json.dumps(made))

    def open_place(self, sealed: bytes) -> ServerPlace:
        given = json.loads(self.open(sealed))
        cluster = Path(given["cluster"]) if given["cluster"] else None
        extra = tuple((str(k), str(v)) for k, v in given["extra"])
        return ServerPlace(**{**given, "cluster": cluster, "extra": extra})

    def derived(self, purpose: str) -> str:
        """A passphrase of its own for one purpose (backups), always the same for this key."""
        import hashlib
        import hmac

        return hmac.new(self._key, purpose.encode(), hashlib.sha256).hexdigest()


def create(folder: Path) -> Vault:
    """A new key file, readable by its owner only."""
    place = folder / KEY_FILE
    temporary = folder / f".{KEY_FILE}.{secrets.token_hex(4)}"
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(Fernet.generate_key())
        file.flush()
        os.fsync(file.fileno())
    temporary.rename(place)
    return load(folder)


def load(folder: Path) -> Vault:
    """SecretUnreadable."""
    place = folder / KEY_FILE
    try:
        key = place.read_bytes().strip()
        return Vault(place, Fernet(key), key)
    except (OSError, ValueError) as e:
        detail = text(ru="файл ключа не прочитан", en="cannot read the key file")
        raise SecretUnreadable(place=place, detail=detail) from e
