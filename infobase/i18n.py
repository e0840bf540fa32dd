"""Two languages, Russian first: a text is written once, beside its use, in both.

text(ru="База не найдена", en="Infobase not found")
"""

from __future__ import annotations

import contextvars
import locale
import os
from dataclasses import dataclass

LANGUAGES = ("ru", "en")

_language: contextvars.ContextVar[str] = contextvars.ContextVar("infobase_language", default="")


def language() -> str:
    """The language of messages: the one set by `set_language`, else the system's, else Russian."""
    return _language.get() or system_language()


def set_language(code: str) -> None:
    """Choose the language of messages for this context; `code` is one of LANGUAGES."""
    if code not in LANGUAGES:
        raise ValueError(f"language {code!r}: expected one of {', '.join(LANGUAGES)}")
    _language.set(code)


def system_language() -> str:
    """`INFOBASE_LANG`, else the locale: English where it says English, Russian everywhere else."""
    own = os.environ.get("INFOBASE_LANG", "").lower()
    if own[:2] in LANGUAGES:
        return own[:2]
    for variable in ("LC_ALL", "LC_MESSAGES", "LANG"):
        value = os.environ.get(variable, "")
        if value:
            return "en" if value.lower().startswith("en") else "ru"
    try:
        name = locale.getlocale()[0] or ""
    except ValueError:
        name = ""
    return "en" if name.lower().startswith("en") else "ru"


def text(*, ru: str, en: str) -> str:
    """The wording in the current language."""
    return en if language() == "en" else ru


@dataclass(frozen=True, slots=True)
class Bilingual:
    """A text kept in both languages, chosen when it is shown."""

    ru: str
    en: str

    def __str__(self) -> str:
        return text(ru=self.ru, en=self.en)
