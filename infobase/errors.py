"""Every error is a class with its own exit code and a message in both languages.

A message says what happened, where, and what to do next. Fields in braces are the keyword arguments given when raised:

    raise InfobaseNotFound(place="/srv/crm")

`tests/test_errors.py` fails when a class lacks a text, a unique exit code, or a line in docs/errors.md.
"""

from __future__ import annotations

from typing import ClassVar

from infobase.i18n import Bilingual, text


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


# --- metadata and configuration (10..19) ---


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


# --- connection and infobase (20..29) ---


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


# --- locks, storage conditions (30..39) ---


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


# --- objects, posting, query (40..59) ---


class ValueInvalid(InfobaseError):
    exit_code = 40
    ru = "{field}: значение «{value}» не подходит: {detail}"
    en = "{field}: the value {value!r} does not fit: {detail}"


class RequiredFieldsEmpty(InfobaseError):
    exit_code = 41
    ru = "Не заполнены обязательные поля ({object}): {fields_listing}"
    en = "Required fields are empty ({object}): {fields_listing}"


class ObjectNotFound(InfobaseError):
    exit_code = 42
    ru = "Объект не найден: {object}"
    en = "Object not found: {object}"


class VersionConflict(InfobaseError):
    exit_code = 43
    ru = "Данные были изменены или удалены другим пользователем: {object}. Перечитайте объект и повторите."
    en = "The data was changed or deleted by another user: {object}. Read it again and repeat."


class NotUnique(InfobaseError):
    exit_code = 44
    ru = "Значение поля {field} не уникально: «{value}» ({object})"
    en = "The value of {field} is not unique: {value!r} ({object})"


class ReferenceBroken(InfobaseError):
    exit_code = 45
    ru = "Ссылка на несуществующий объект: {field} = {value}"
    en = "Reference to an object that does not exist: {field} = {value}"


class ObjectReferenced(InfobaseError):
    exit_code = 46
    ru = "Нельзя удалить {object}: на него ссылаются {users}. Пометьте на удаление и удалите вместе с ними."
    en = "Cannot delete {object}: referenced by {users}. Mark it for deletion and delete it together with them."


class OperationForbidden(InfobaseError):
    """A rule of the platform, such as a hierarchy cycle, a predefined item, posting of a document that does not post."""

    exit_code = 47
    ru = "{object}: {detail}"
    en = "{object}: {detail}"


class BalanceShortage(InfobaseError):
    """`shortages`: one per key: register, resource, key (field -> presentation), shortage (Decimal)."""

    exit_code = 48
    ru = "Документ не проведён ({object}). Не хватает: {listing}"
    en = "The document was not posted ({object}). Shortage: {listing}"


class PeriodLocked(InfobaseError):
    exit_code = 49
    ru = "Период закрыт до {until} (дата запрета изменений): {object} от {date} изменить нельзя."
    en = "The period is closed until {until}: {object} of {date} cannot be changed."


class NumberOverflow(InfobaseError):
    exit_code = 50
    ru = "Число не помещается: {field} = {value}, разрешено {digits} знаков, из них {scale} дробных"
    en = "The number does not fit: {field} = {value}, {digits} digits allowed, {scale} of them after the point"


class QueryInvalid(InfobaseError):
    exit_code = 51
    ru = "Ошибка запроса: {detail}"
    en = "Query error: {detail}"


# --- users and rights (60..69) ---


class LoginFailed(InfobaseError):
    exit_code = 60
    ru = "Неправильное имя пользователя или пароль."
    en = "Wrong user name or password."


class AccessDenied(InfobaseError):
    exit_code = 61
    ru = "Нарушение прав доступа: {right} - {object}. Обратитесь к администратору."
    en = "Access denied: {right} on {object}. Ask the administrator."


class UserInvalid(InfobaseError):
    exit_code = 62
    ru = "Пользователь «{name}»: {detail}"
    en = "User {name!r}: {detail}"


class SessionsBlocked(InfobaseError):
    exit_code = 63
    ru = "Начало сеанса запрещено: {detail}"
    en = "Starting sessions is blocked: {detail}"


# --- dump and restore (70..79) ---


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


# --- classifiers (80..89) ---


class ClassifierInvalid(InfobaseError):
    exit_code = 80
    ru = "Файл классификатора {place} не принят: {detail}. База не изменена."
    en = "The classifier file {place} was refused: {detail}. The infobase was not changed."


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


# --- OData (180..189) ---


class ODataContentInvalid(InfobaseError):
    exit_code = 180
    ru = "В состав OData нельзя включить «{name}». Похожие: {hint}"
    en = "{name!r} cannot be published by OData. Similar: {hint}"


class ServiceBusy(InfobaseError):
    exit_code = 182
    ru = "Все сеансы службы заняты ({limit}). Повторите позже или увеличьте --sessions."
    en = "All sessions of the service are busy ({limit}). Try again later, or raise --sessions."


class ServiceNotStarted(InfobaseError):
    exit_code = 181
    ru = "Служба не запустилась ({place}): {detail}"
    en = "The service did not start ({place}): {detail}"


# --- the application server (150..179) ---


class ServerUnavailable(InfobaseError):
    exit_code = 150
    ru = "Сервер {place} недоступен: {detail}. Проверьте адрес и что сервер запущен (infobase server status)."
    en = "The server {place} is unavailable: {detail}. Check the address, and that the server runs (infobase server status)."


class SessionEnded(InfobaseError):
    exit_code = 151
    ru = "Сеанс завершён: {detail}. Подключитесь заново."
    en = "The session has ended: {detail}. Connect again."


class LoginThrottled(InfobaseError):
    exit_code = 152
    ru = "Слишком много неудачных попыток входа. Повторите через {seconds} с."
    en = "Too many failed logins. Try again in {seconds} s."


class RequestInvalid(InfobaseError):
    exit_code = 153
    ru = "Запрос к серверу не принят: {detail}."
    en = "The request was refused: {detail}."


class RequestTooLarge(InfobaseError):
    exit_code = 154
    ru = "Запрос больше разрешённых {limit} байт. Разделите его на части."
    en = "The request is larger than the allowed {limit} bytes. Split it."


class ServerNotInitialised(InfobaseError):
    exit_code = 155
    ru = "Сервер не создан ({place}): {detail}. Выполните infobase server init."
    en = "There is no server here ({place}): {detail}. Run infobase server init."


class ServerRunning(InfobaseError):
    exit_code = 156
    ru = "Сервер уже работает ({place}, процесс {pid})."
    en = "The server runs already ({place}, pid {pid})."


class ServerNotRunning(InfobaseError):
    exit_code = 157
    ru = "Сервер не работает ({place}). Запустите его: infobase server start."
    en = "The server does not run ({place}). Start it: infobase server start."


class ClusterLoginFailed(InfobaseError):
    exit_code = 158
    ru = "Неправильное имя или пароль администратора кластера (--cluster-user, INFOBASE_CLUSTER_PASSWORD)."
    en = "Wrong name or password of the cluster administrator (--cluster-user, INFOBASE_CLUSTER_PASSWORD)."


class ScheduledJobsDenied(InfobaseError):
    exit_code = 121
    ru = "Регламентные задания базы «{place}» запрещены администратором кластера. Разрешить: infobase server infobases update {place} --scheduled-jobs-deny off."
    en = "The cluster's administrator denies the scheduled jobs of {place!r}. To allow them: infobase server infobases update {place} --scheduled-jobs-deny off."


class NotOverTheWire(InfobaseError):
    """Something only the server itself may do, such as raw SQL."""

    exit_code = 159
    ru = "{what}: выполняется только на сервере, через сеанс Srvr= недоступно."
    en = "{what}: done at the server only, not through a session over Srvr=."


class CallInterrupted(InfobaseError):
    exit_code = 160
    ru = "Выполнение прервано администратором: {detail}. Изменения отменены."
    en = "The call was interrupted by the administrator: {detail}. Nothing was changed."


class TransactionExpired(InfobaseError):
    exit_code = 161
    ru = "Транзакция отменена сервером: {detail}. Повторите операцию целиком."
    en = "The server rolled the transaction back: {detail}. Repeat the whole operation."


class ServerBusy(InfobaseError):
    exit_code = 162
    ru = "Сервер занят: {detail}. Повторите позже."
    en = "The server is busy: {detail}. Try again later."


class SecretUnreadable(InfobaseError):
    exit_code = 163
    ru = "Секрет сервера не расшифрован ({place}): {detail}. Верните прежний файл ключа."
    en = "A secret of the server cannot be decrypted ({place}): {detail}. Bring the former key file back."


class ObjectLocked(InfobaseError):
    exit_code = 164
    ru = "Объект заблокирован для редактирования: {object}. Редактирует {holder} с {since}."
    en = "The object is locked for editing: {object}. Edited by {holder} since {since}."


class ServerSettingsInvalid(InfobaseError):
    exit_code = 165
    ru = "Настройки сервера {place}: {detail}."
    en = "Server settings {place}: {detail}."


class InfobaseNameInvalid(InfobaseError):
    exit_code = 166
    ru = "Имя базы в кластере «{name}» не годится: {detail}."
    en = "The infobase name {name!r} does not fit: {detail}."


class ServerRequirements(InfobaseError):
    exit_code = 167
    ru = "PostgreSQL не подходит серверу ({place}): {detail}."
    en = "PostgreSQL does not meet the server's needs ({place}): {detail}."


class ProtocolMismatch(InfobaseError):
    exit_code = 168
    ru = "Клиент и сервер разных версий: протокол {found}, нужен {expected}. Обновите программу."
    en = "Client and server are of different versions: protocol {found}, expected {expected}. Update the product."


class TransactionFailed(InfobaseError):
    """A work of several steps failed inside a larger transaction: a part of it is there, unchecked, and must not be committed."""

    exit_code = 175
    ru = "В данной транзакции уже происходили ошибки: {detail}. Отмените её и повторите операцию целиком."
    en = "Errors have already occurred in this transaction: {detail}. Roll it back and repeat the whole operation."


# --- command line (2, 90..99) ---


class UsageError(InfobaseError):
    exit_code = 2
    ru = "Ошибка в команде: {detail}"
    en = "Usage error: {detail}"


class ListInvalid(InfobaseError):
    exit_code = 90
    ru = "Список баз {place}: {detail}"
    en = "Infobase list {place}: {detail}"


class CheckFailed(InfobaseError):
    exit_code = 91
    ru = "Проверка нашла ошибки: {count}"
    en = "The check found faults: {count}"


class ListNotWritable(InfobaseError):
    exit_code = 110
    ru = "Список баз {place} не записан: {detail}. Прежний список цел; снимите запрет и повторите, или укажите другой файл: --list"
    en = "The infobase list {place} was not written: {detail}. The previous list is intact; lift the restriction and repeat, or give another file: --list"


class ListFaulty(InfobaseError):
    exit_code = 111
    ru = "В списке баз {place} найдены ошибки: {count}. Исправить то, что исправляется само: infobase list lint --fix"
    en = "Faults found in the infobase list {place}: {count}. To mend what can be mended: infobase list lint --fix"


class TargetUnfit(InfobaseError):
    """A place for a copy or a backup that would do harm: inside the base, the base itself, a server."""

    exit_code = 112
    ru = "Место {place} не годится: {detail}. Ничего не создано."
    en = "The place {place} does not do: {detail}. Nothing was made."


class BackupInvalid(InfobaseError):
    exit_code = 113
    ru = "Резервная копия {place} не принята: {detail}"
    en = "The backup {place} was refused: {detail}"


class BackupNotFound(InfobaseError):
    exit_code = 114
    ru = "Резервная копия не найдена: {place}. Список копий: infobase backup list ПАПКА"
    en = "No backup found: {place}. For the list of backups: infobase backup list DIR"


class JobInvalid(InfobaseError):
    exit_code = 115
    ru = "Задание «{name}»: {detail}"
    en = "Job {name!r}: {detail}"


class JobsFailed(InfobaseError):
    exit_code = 116
    ru = "Задания завершились с ошибкой: {listing}. Подробности: infobase jobs history"
    en = "Jobs failed: {listing}. For the details: infobase jobs history"


class DrillFailed(InfobaseError):
    exit_code = 117
    ru = "Учебное восстановление из {place} не удалось: {detail}"
    en = "The restore drill from {place} failed: {detail}"


class KeyFileInvalid(InfobaseError):
    exit_code = 118
    ru = "Файл ключа {place}: {detail}"
    en = "Key file {place}: {detail}"


class SystemRefusal(InfobaseError):
    """The operating system refused a file or a folder, and nothing closer to the cause explained it."""

    exit_code = 92
    ru = "Операционная система отказала ({place}): {detail}. Проверьте путь и права доступа."
    en = "The operating system refused ({place}): {detail}. Check the path and the permissions."


class SessionTerminated(InfobaseError):
    """An administrator ended the session; whatever it had not committed is rolled back."""

    exit_code = 93
    ru = "Сеанс работы завершён администратором. {detail} Войдите в базу заново."
    en = "The session was ended by an administrator. {detail} Log in again."


class ConfigurationChanged(InfobaseError):
    """Two updates met; the later one must look again at what it would change."""

    exit_code = 94
    ru = "Конфигурация базы {place} за это время обновлена кем-то ещё. Посмотрите различия (config diff) и повторите."
    en = "The configuration of {place} was meanwhile updated by somebody else. Look at the differences (config diff) and repeat."


class NothingToApply(InfobaseError):
    exit_code = 95
    ru = "В базе {place} нет загруженной конфигурации. Загрузите её (config import) или укажите файл или папку."
    en = "There is no loaded configuration in {place}. Load one (config import), or give a file or a folder."


class LogUnreadable(InfobaseError):
    exit_code = 96
    ru = "Журнал регистрации {place} не прочитан: {detail}. Файл мог быть повреждён или скопирован не целиком."
    en = "Cannot read the event log {place}: {detail}. The file may be damaged or copied in part."


class FileUnrecognised(InfobaseError):
    exit_code = 97
    ru = "{place}: неизвестный файл. Понятны: .1CD, .cf, .dt, .efd, .v8i, .mft, .lgd, .lgf, .lgp, .cdn."
    en = "{place}: an unknown file. Known are .1CD, .cf, .dt, .efd, .v8i, .mft, .lgd, .lgf, .lgp, .cdn."


class FileDamaged(InfobaseError):
    exit_code = 98
    ru = "{place} повреждён или неполон: {detail}. Возьмите файл заново из источника или из резервной копии."
    en = "{place} is damaged or incomplete: {detail}. Take the file from its source again, or from a backup."


class ReaderMissing(InfobaseError):
    """An optional library is not installed."""

    exit_code = 120
    ru = "{place}: файлы настоящей 1С читает библиотека onec_dtools. Установите её: pip install 'infobase[onec]'."
    en = "{place}: files of a real 1C are read by the library onec_dtools. Install it: pip install 'infobase[onec]'."


class InternalError(InfobaseError):
    """A fault of the product itself; the command line turns every unexpected exception into it."""

    exit_code = 99
    ru = "Внутренняя ошибка программы ({kind}): {detail}. {debug}"
    en = "Internal error ({kind}): {detail}. {debug}"


class Cancelled(InfobaseError):
    exit_code = 130
    ru = "Прервано пользователем; прежнее состояние сохранено."
    en = "Cancelled by the user; the previous state is kept."


# --- templates (100..109) ---


class TemplateNotFound(InfobaseError):
    exit_code = 100
    ru = "Шаблон «{name}» не найден: {detail}. Список шаблонов: infobase template list"
    en = "Template {name!r} not found: {detail}. For the list of templates: infobase template list"


class TemplateAmbiguous(InfobaseError):
    exit_code = 101
    ru = "Под «{name}» подходит несколько шаблонов: {listing}. Укажите путь в дереве целиком, --template-version или сам файл."
    en = "Several templates fit {name!r}: {listing}. Give the whole path in the tree, --template-version, or the file itself."


class TemplateUnusable(InfobaseError):
    """A template that is listed but makes nothing: its file is missing, is an update, or is not of this product."""

    exit_code = 102
    ru = "Из шаблона {place} базу не создать: {detail}"
    en = "No infobase can be made from the template {place}: {detail}"


class PackageRefused(InfobaseError):
    exit_code = 103
    ru = "Комплект поставки {place} не принят: {detail}. Ничего не установлено."
    en = "The template package {place} was refused: {detail}. Nothing was installed."


class TemplateInstalled(InfobaseError):
    exit_code = 104
    ru = "Эта версия уже установлена: {place}. Чтобы заменить её, укажите --replace."
    en = "This version is installed already: {place}. Give --replace to replace it."


class TemplateRootUnusable(InfobaseError):
    exit_code = 105
    ru = "Каталог шаблонов {place} не годится: {detail}. Укажите другой ключом --root."
    en = "The template root {place} cannot be used: {detail}. Give another one with --root."


class TemplateFaulty(InfobaseError):
    exit_code = 106
    ru = "В шаблонах найдены ошибки: {count}"
    en = "Faults found in templates: {count}"


class PasswordRequired(InfobaseError):
    exit_code = 107
    ru = "База на сервере создаётся только с паролем администратора «{user}». Задайте его: --ask-password, --password-file или --password-env; без пароля - только с ключом --allow-empty-password."
    en = "A base on a server is made only with a password for the administrator {user!r}. Give one: --ask-password, --password-file or --password-env; without one only with --allow-empty-password."


class PackageNotBuilt(InfobaseError):
    exit_code = 108
    ru = "Комплект поставки не собран ({place}): {detail}"
    en = "The template package was not built ({place}): {detail}"


# --- benchmarks (190..199) ---


class BenchmarkSidesDiffer(InfobaseError):
    exit_code = 190
    ru = "Замер недействителен: стороны сделали не одно и то же ({side}): {ours} против {theirs}. Сообщите об ошибке разработчикам."
    en = "The measurement is void: the sides did not do the same ({side}): {ours} against {theirs}. Report it to the developers."


class BenchmarkUnreadable(InfobaseError):
    exit_code = 191
    ru = "Это не результаты замеров ({place}): {detail}. Получите их командой infobase bench run --save ФАЙЛ."
    en = "These are not results of a benchmark ({place}): {detail}. Make them with `infobase bench run --save FILE`."


class BenchmarkSlower(InfobaseError):
    exit_code = 192
    ru = "Стало хуже: {listing}"
    en = "It has become worse: {listing}"


class BenchmarkRunInvalid(InfobaseError):
    """A folder given for a comparison of the modes holds something else."""

    exit_code = 194
    ru = "Замер в {place}: {detail}"
    en = "The run in {place}: {detail}"


class PeerNotInstalled(InfobaseError):
    exit_code = 195
    ru = "{peer} для сравнения не установлен: {detail}. Нужны доступ к PyPI (или его зеркалу) и модуль venv; остальные сравниваются без него."
    en = "{peer} could not be installed for the comparison: {detail}. PyPI (or a mirror) and the venv module are needed; the others are compared without it."


class PeerFailed(InfobaseError):
    exit_code = 196
    ru = "{peer} не справился с операцией {action}: {detail}. Сравнение с ним пропущено; запустите его одного: infobase bench peers {peer}"
    en = "{peer} failed at {action}: {detail}. Its comparison was skipped; run it alone: `infobase bench peers {peer}`."


class BenchmarkMissed(InfobaseError):
    exit_code = 193
    ru = "Цели не достигнуты: {listing}"
    en = "Targets are missed: {listing}"
