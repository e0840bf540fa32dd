"""Of dumps and restoring."""

from __future__ import annotations

from infobase.errors.base import InfobaseError


class DumpInvalid(InfobaseError):
    exit_code = 70
    ru = "Файл выгрузки {place} не принят: {detail}. База не изменена."
    en = "The dump {place} was refused: {detail}. No infobase was changed."


class DumpVersionUnsupported(InfobaseError):
    exit_code = 71
    ru = (
        "Выгрузка {place} сделана более новой версией (формат {found}, поддерживается {supported}). Обновите программу."
    )
    en = "The dump {place} was made by a newer version (format {found}, supported {supported}). Update the product."


class DumpEncrypted(InfobaseError):
    exit_code = 72
    ru = "Выгрузка {place} зашифрована: нужен верный пароль."
    en = "The dump {place} is encrypted: the right password is needed."


class ContentDiffers(InfobaseError):
    exit_code = 73
    ru = "Содержимое не совпало: {detail}"
    en = "The contents differ: {detail}"


class TargetExists(InfobaseError):
    exit_code = 74
    ru = "{place} уже существует. Укажите другое место или ключ --replace."
    en = "{place} already exists. Give another place, or --replace."


class DumpNotWritten(InfobaseError):
    exit_code = 75
    ru = "Не удалось записать выгрузку {place}: {detail}. Прежний файл, если он был, сохранён."
    en = "Cannot write the dump {place}: {detail}. The previous file, if any, is kept."
