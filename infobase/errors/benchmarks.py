"""Of benchmarks."""

from __future__ import annotations

from infobase.errors.base import InfobaseError


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
