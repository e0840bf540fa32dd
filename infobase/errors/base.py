"""The root of all errors."""

from __future__ import annotations

from typing import ClassVar

from infobase.i18n import text


class InfobaseError(Exception):
    """The root of all errors the product raises on purpose."""

    exit_code: ClassVar[int] = 1
    ru: ClassVar[str] = "Ошибка: {detail}"
    en: ClassVar[str] = "Error: {detail}"

    def __init__(self, **fields: object) -> None:
        self.fields = fields
        super().__init__(fields)

    def __str__(self) -> str:
        template = text(ru=self.ru, en=self.en)
        return template.format_map({name: str(value) for name, value in self.fields.items()})

    def __reduce__(self) -> tuple[object, ...]:
        return (_rebuild, (type(self), self.fields))


def _rebuild(cls: type[InfobaseError], fields: dict[str, object]) -> InfobaseError:
    return cls(**fields)
