"""Of the command line, the list, copies, backups, jobs and the files it reads."""

from __future__ import annotations

from infobase.errors.base import InfobaseError


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
