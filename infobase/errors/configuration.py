"""Of metadata and configurations."""

from __future__ import annotations

from infobase.errors.base import InfobaseError
from infobase.i18n import Bilingual, text


class ConfigurationInvalid(InfobaseError):
    """`problems`: every fault found, each with file, line, key and what was expected."""

    exit_code = 10
    ru = "Конфигурация содержит ошибки ({count}):\n{listing}"
    en = "The configuration has errors ({count}):\n{listing}"

    def __init__(self, problems: list[Problem]) -> None:
        self.problems = problems
        super().__init__(count=len(problems), listing=_Listing(problems))

    def __reduce__(self) -> tuple[object, ...]:
        return (ConfigurationInvalid, (self.problems,))


class _Listing:
    """Renders the problems only when shown, in the language of that moment."""

    def __init__(self, problems: list[Problem]) -> None:
        self.problems = problems

    def __str__(self) -> str:
        return "\n".join(f"  {p}" for p in self.problems)


class Problem:
    """One fault in a configuration: `file`, `line` (1-based, 0 unknown), `key` (dotted), `message`, `expected`."""

    def __init__(self, file: str, line: int, key: str, message: Bilingual, expected: Bilingual | str = "") -> None:
        self.file, self.line, self.key, self.message, self.expected = file, line, key, message, expected

    def __str__(self) -> str:
        place = f"{self.file}:{self.line}" if self.line else self.file
        tail = f" ({text(ru='ожидается', en='expected')}: {self.expected})" if str(self.expected) else ""
        return f"{place}: {self.key}: {self.message}{tail}"


class ConfigurationUnreadable(InfobaseError):
    exit_code = 11
    ru = "Не удалось прочитать конфигурацию из {place}: {detail}. Укажите папку конфигурации или файл .cf этой программы."
    en = "Cannot read a configuration from {place}: {detail}. Give a configuration folder or a .cf of this product."


class ExpressionInvalid(InfobaseError):
    exit_code = 12
    ru = "Недопустимое выражение «{expression}»: {detail}"
    en = "Invalid expression {expression!r}: {detail}"


class UnknownProcedure(InfobaseError):
    exit_code = 13
    ru = "Именованная процедура «{name}» не зарегистрирована. Установите пакет, который её содержит."
    en = "The named procedure {name!r} is not registered. Install the package that provides it."


class UnknownObject(InfobaseError):
    exit_code = 14
    ru = "В конфигурации нет «{name}». {hint}"
    en = "The configuration has no {name!r}. {hint}"


class GenuineFile(InfobaseError):
    """A real 1C:Enterprise file, recognised and kindly refused."""

    exit_code = 15
    ru = "{place} - файл настоящей 1С:Предприятия ({what}). Эта программа его не открывает; выгрузите данные средствами 1С."
    en = "{place} is a genuine 1C:Enterprise file ({what}). This product does not open it; export the data with 1C."
