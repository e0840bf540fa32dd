"""Of classifiers."""

from __future__ import annotations

from infobase.errors.base import InfobaseError


class ClassifierInvalid(InfobaseError):
    exit_code = 80
    ru = "Файл классификатора {place} не принят: {detail}. База не изменена."
    en = "The classifier file {place} was refused: {detail}. The infobase was not changed."


class ClosuresRefused(InfobaseError):
    """A file that would close so much of what is loaded that it is more likely to be cut than to be right."""

    exit_code = 78
    ru = (
        "{place}: из {held} записей классификатора «{kind}» в файле нет {gone}: похоже, он обрезан или неполон. "
        "База не изменена. Возьмите файл заново, а если так и должно быть, повторите загрузку с --accept-closures."
    )
    en = (
        "{place}: of the {held} items of the classifier {kind!r} the file lacks {gone}: it seems to be cut or incomplete. "
        "The infobase was not changed. Get the file again, or, if it is right, load it with --accept-closures."
    )


class ClassifierUnknown(InfobaseError):
    """The content of a source is not the classifier that was asked for, or none at all."""

    exit_code = 81
    ru = "{place}: {detail}. База не изменена. Виды и файлы показывает `classifier kinds`."
    en = "{place}: {detail}. The infobase was not changed. `classifier kinds` shows kinds and files."


class ClassifierAmbiguous(InfobaseError):
    """A source holds several classifiers, formats or versions that do not belong together."""

    exit_code = 82
    ru = "{place}: {detail}. Укажите один файл. База не изменена."
    en = "{place}: {detail}. Give one file. The infobase was not changed."


class ClassifierUnwanted(InfobaseError):
    exit_code = 83
    ru = (
        "Конфигурация не предусматривает классификатор «{kind}»: добавьте в [classifiers] файла Configuration.toml "
        'строку {kind} = "{target}.Имя".'
    )
    en = (
        'The configuration does not provide for the classifier {kind!r}: add {kind} = "{target}.Name" to [classifiers] '
        "of its Configuration.toml."
    )


class DownloadRefused(InfobaseError):
    exit_code = 84
    ru = "Не загружено из сети ({place}): {detail}. База не изменена. Можно скачать файл самостоятельно и указать его."
    en = (
        "Not downloaded ({place}): {detail}. The infobase was not changed. You may fetch the file yourself and name it."
    )


class AccountMismatch(InfobaseError):
    """A settlement account that cannot be one of the bank."""

    exit_code = 85
    ru = "Счёт {account} не подходит к банку {bic} ({bank}): {detail}. Проверьте номер счёта и БИК."
    en = "The account {account} does not fit the bank {bic} ({bank}): {detail}. Check the account number and the BIC."


class RegionUnknown(InfobaseError):
    exit_code = 86
    ru = "Регион «{region}» не найден. Есть: {options}"
    en = "There is no region {region!r}. There are: {options}"


class DeltaRefused(InfobaseError):
    """A file of changes that does not continue what is loaded."""

    exit_code = 87
    ru = "Изменения ГАР {place} не применены: {detail}. Загрузите полный выпуск или пропущенные изменения. База не изменена."
    en = "The GAR changes {place} were not applied: {detail}. Load the full issue, or the changes in between. The infobase was not changed."


class AddressesNotLoaded(InfobaseError):
    exit_code = 89
    ru = "Адресный классификатор не загружен. Загрузите его: infobase classifier load kladr ПАПКА CONN --region 01"
    en = "No address classifier is loaded. Load one: infobase classifier load kladr FOLDER CONN --region 01"
