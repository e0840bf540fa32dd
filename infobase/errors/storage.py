"""Of locks and of what storage suffers."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

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


class DoneUnfinished(InfobaseError):
    """The new state has its name already, and something after that went wrong: nobody may be told that the old state is kept."""

    exit_code = 109
    ru = "Сделано: новое состояние на месте ({place}), но завершить не удалось: {detail}. Повторять не нужно; устраните причину, базу проверьте командой check."
    en = "Done: the new state is in place ({place}), but the finishing failed: {detail}. There is no need to repeat; remove the cause, and run `check` on a base."

    @classmethod
    @contextmanager
    def after(cls, place: object) -> Iterator[None]:
        """For a block that follows the switch: what fails in it fails after the deed."""
        try:
            yield
        except cls:
            raise
        except (InfobaseError, OSError) as e:
            raise cls(place=place, detail=brief(e)) from e


def brief(problem: Exception) -> str:
    """What happened, without the promises and the advice of the error's own message: for a message that holds another."""
    fields = problem.fields if isinstance(problem, InfobaseError) else {}
    return str(fields.get("detail") or getattr(problem, "strerror", None) or problem)


class ReadOnlyTransaction(InfobaseError):
    exit_code = 34
    ru = "Запись в транзакции только для чтения. Откройте session.transaction()."
    en = "A write inside a read-only transaction. Open session.transaction()."
