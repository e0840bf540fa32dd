"""Of locks and of what storage suffers."""

from __future__ import annotations

from infobase.errors.base import InfobaseError


class LockTimeout(InfobaseError):
    exit_code = 30
    ru = "Конфликт блокировок при выполнении транзакции: превышено максимальное время ожидания предоставления блокировки ({seconds} с). Удерживает: {holder}"
    en = "Lock conflict: the lock was not granted in {seconds} s. Held by: {holder}"


class Deadlock(InfobaseError):
    exit_code = 31
    ru = "Взаимная блокировка транзакций; повторите операцию. {detail}"
    en = "Transaction deadlock; repeat the operation. {detail}"


class DiskFull(InfobaseError):
    exit_code = 32
    ru = "Нет места на диске ({place}): {detail}. Освободите место и повторите; прежнее состояние сохранено."
    en = "No space left on the disk ({place}): {detail}. Free some space and repeat; the previous state is kept."


class StorageFailure(InfobaseError):
    """An I/O error: the engine closed the base and marked it for `check`."""

    exit_code = 33
    ru = "Ошибка ввода-вывода ({place}): {detail}. База закрыта; выполните check, прежде чем продолжить."
    en = "I/O error ({place}): {detail}. The base is closed; run `check` before going on."


class ReadOnlyTransaction(InfobaseError):
    exit_code = 34
    ru = "Запись в транзакции только для чтения. Откройте session.transaction()."
    en = "A write inside a read-only transaction. Open session.transaction()."
