"""Of connections and infobases."""

from __future__ import annotations

from infobase.errors.base import InfobaseError


class ConnectionStringInvalid(InfobaseError):
    exit_code = 20
    ru = 'Строка соединения «{value}» не разобрана: {detail}. Примеры: File="C:\\base"; или Srvr="host";Ref="crm";'
    en = 'Cannot parse the connection string {value!r}: {detail}. Examples: File="/srv/base"; or Srvr="host";Ref="crm";'


class InfobaseNotFound(InfobaseError):
    exit_code = 21
    ru = "Информационная база не найдена: {place}. Проверьте путь или создайте базу командой create."
    en = "Infobase not found: {place}. Check the path, or create one with `create`."


class InfobaseExists(InfobaseError):
    exit_code = 22
    ru = "Здесь уже есть информационная база: {place}. Выберите другое место или удалите её командой drop."
    en = "An infobase already exists here: {place}. Choose another place, or remove it with `drop`."


class InfobaseBusy(InfobaseError):
    exit_code = 23
    ru = "Не удалось монопольно заблокировать информационную базу {place}: с ней работает {holder}. Завершите эти сеансы и повторите."
    en = "Cannot lock the infobase {place} exclusively: in use by {holder}. End those sessions and try again."


class InfobaseLockedExclusively(InfobaseError):
    exit_code = 24
    ru = "Информационная база {place} открыта монопольно: {holder}. Подождите или завершите этот сеанс."
    en = "The infobase {place} is open in exclusive mode by {holder}. Wait, or end that session."


class InfobaseDamaged(InfobaseError):
    exit_code = 25
    ru = "Информационная база {place} повреждена или неполна: {detail}. Выполните check; восстановите из резервной копии."
    en = "The infobase {place} is damaged or incomplete: {detail}. Run `check`; restore from a backup."


class JournalForeign(InfobaseError):
    exit_code = 119
    ru = (
        "Рядом с {place} лежит журнал другой базы, {journal}: {detail}. Открытие смешало бы их. Ничего не изменено. Если 1Cv8.1CD скопирован сюда, "
        "перенесите {journal} из этой папки; если это прежняя база, верните её собственный файл 1Cv8.1CD или восстановите её из резервной копии."
    )
    en = (
        "Beside {place} lies another base's journal, {journal}: {detail}. Opening would mix them. Nothing was changed. If 1Cv8.1CD was copied here, "
        "move {journal} out of this folder; if this is the base it was, bring back its own 1Cv8.1CD, or restore it from a backup."
    )


class InfobaseVersionUnsupported(InfobaseError):
    exit_code = 26
    ru = "{place}: формат {found} новее поддерживаемого {supported}. Обновите программу."
    en = "{place}: format {found} is newer than the supported {supported}. Update the product."


class EngineUnavailable(InfobaseError):
    exit_code = 27
    ru = "Хранилище недоступно ({place}): {detail}"
    en = "The store is unavailable ({place}): {detail}"


class CommitOutcomeUnknown(InfobaseError):
    exit_code = 28
    ru = "Связь с сервером потеряна во время фиксации транзакции: неизвестно, записаны ли данные. Проверьте и при необходимости повторите. {detail}"
    en = "The connection was lost during COMMIT: it is unknown whether the data was saved. Check, and repeat if needed. {detail}"


class SessionLimit(InfobaseError):
    exit_code = 29
    ru = "В файловом режиме могут работать не более {limit} сеансов; сейчас: {holder}. Перейдите на сервер (advise покажет команду) или разрешите больше: infobase sessions limit."
    en = "File mode takes at most {limit} sessions; now: {holder}. Move to a server (`advise` shows the command), or allow more: infobase sessions limit."
