"""Runs a command and turns whatever happens into a message and an exit code. No traceback ever reaches a user.

An unexpected exception is `InternalError`; with INFOBASE_DEBUG set its traceback goes to a file (the variable's value, or a file in the
temporary folder when the value is 1).
"""

from __future__ import annotations

import errno
import os
import re
import sys
import tempfile
import traceback
from collections.abc import Sequence
from contextlib import suppress
from io import TextIOWrapper
from pathlib import Path

import click

from infobase.commands.output import remark
from infobase.errors import Cancelled, DiskFull, InfobaseError, InternalError, SystemRefusal, UsageError
from infobase.i18n import LANGUAGES, set_language, text

DEBUG_VARIABLE = "INFOBASE_DEBUG"
OUTPUT_CLOSED = 141
"""Exit code when the reader of our output went away (`infobase ... | head`), as shells report SIGPIPE."""


def run(root: click.Command, arguments: Sequence[str] | None = None) -> int:
    """Run the program; the exit code."""
    given = list(sys.argv[1:] if arguments is None else arguments)
    _prepare_streams()
    _choose_language(given)
    try:
        code = root.main(given, prog_name="infobase", standalone_mode=False)
        sys.stdout.flush()
    except BrokenPipeError:
        return _output_closed()
    except BaseException as e:
        if isinstance(e, SystemExit | GeneratorExit):
            raise
        code = _report(e)
        if isinstance(e, OSError) and e.errno in (errno.ENOSPC, errno.EDQUOT, errno.EIO):
            _silence()
        return code
    return code if isinstance(code, int) else 0


def _prepare_streams() -> None:
    """UTF-8 whatever the locale says; a closed standard output is the null device."""
    for name in ("stdin", "stdout", "stderr"):
        stream = getattr(sys, name)
        if stream is None:
            setattr(sys, name, Path(os.devnull).open("r+", encoding="utf-8"))  # noqa: SIM115
        elif isinstance(stream, TextIOWrapper):
            stream.reconfigure(encoding="utf-8", errors="backslashreplace" if name != "stdin" else "surrogateescape")


def _choose_language(arguments: Sequence[str]) -> None:
    """Ahead of parsing, so that errors and help are in the language asked for anywhere in the line."""
    for i, argument in enumerate(arguments):
        if argument == "--":
            return
        name, mark, value = argument.partition("=")
        if name == "--lang":
            code = value if mark else (arguments[i + 1] if i + 1 < len(arguments) else "")
            if code in LANGUAGES:
                set_language(code)


def _report(e: BaseException) -> int:
    error = _as_infobase_error(e)
    try:
        if isinstance(e, click.exceptions.NoArgsIsHelpError):
            remark(e.ctx.get_help() if e.ctx else error)
        else:
            remark(_headed(str(error)))
        return error.exit_code
    except BrokenPipeError:
        return _output_closed()
    except OSError:  # the disk under standard error fails too: nothing more can be said
        _silence()
        return error.exit_code


def _headed(message: str) -> str:
    """«Ошибка: ...», once: some messages begin so themselves."""
    if re.match(r"(ошибка|usage error|query error|error)\b", message, re.IGNORECASE):
        return message
    return text(ru="Ошибка: ", en="Error: ") + message


def _as_infobase_error(e: BaseException) -> InfobaseError:
    match e:
        case InfobaseError():
            return e
        case click.UsageError():
            return UsageError(detail=usage_text(e))
        case click.Abort() | KeyboardInterrupt():
            return Cancelled()
        case click.FileError():
            return SystemRefusal(place=e.ui_filename, detail=e.message)
        case OSError():
            return _system_refusal(e)
        case _:
            return InternalError(kind=type(e).__name__, detail=_one_line(e), debug=_keep_traceback(e))


def _system_refusal(e: OSError) -> InfobaseError:
    place, detail = e.filename or "-", e.strerror or str(e)
    _keep_traceback(e)
    if e.errno in (errno.ENOSPC, errno.EDQUOT):
        return DiskFull(place=place, detail=detail)
    return SystemRefusal(place=place, detail=detail)


def _one_line(e: BaseException) -> str:
    lines = str(e).splitlines()
    return lines[0][:300] if lines else ""


def _keep_traceback(e: BaseException) -> str:
    """Write the traceback where INFOBASE_DEBUG says; what to tell the user about it."""
    wanted = os.environ.get(DEBUG_VARIABLE, "")
    if not wanted:
        ru = f"Подробности запишет {DEBUG_VARIABLE}=1."
        return text(ru=ru, en=f"{DEBUG_VARIABLE}=1 keeps the details.")
    place = Path(tempfile.gettempdir()) / f"infobase-debug-{os.getpid()}.log" if wanted == "1" else Path(wanted)
    try:
        with place.open("a", encoding="utf-8", errors="backslashreplace") as file:
            traceback.print_exception(e, file=file)
    except OSError as refused:
        return text(ru=f"Подробности не записаны: {refused}", en=f"The details were not kept: {refused}")
    return text(ru=f"Подробности: {place}", en=f"Details: {place}")


def _output_closed() -> int:
    _silence()
    return OUTPUT_CLOSED


def _silence() -> None:
    """Give the interpreter a harmless stream, or it would complain while it shuts down."""
    descriptor = os.open(os.devnull, os.O_WRONLY)
    for stream in (sys.stdout, sys.stderr):
        with suppress(OSError, AttributeError):
            os.dup2(descriptor, stream.fileno())
    os.close(descriptor)


# --- click's own messages ---

_EXTRA = re.compile(r"Got unexpected extra arguments? \((?P<what>.*)\)")
_VALUES: tuple[tuple[str, str], ...] = (
    (r"(.*) is not one of (.*)\.", r"\1 не входит в список: \2"),
    (r"(.*) is not a valid integer\.", r"\1 - не целое число"),
    (r"(.*) is not a valid .*\.", r"\1 - неподходящее значение"),
    (r"(?:File|Path|Directory) (.*) does not exist\.", r"\1 не найден"),
    (r"(?:File|Path) (.*) is a directory\.", r"\1 - это папка"),
    (r"Directory (.*) is a file\.", r"\1 - это файл"),
    (r"(?:File|Path|Directory) (.*) is not readable\.", r"\1 не читается"),
    (r"(.*) is not in the range (.*)\.", r"\1 вне диапазона \2"),
    (r"Option (.*) requires an argument\.", r"ключ \1 требует значения"),
    (r"Option (.*) requires (\d+) arguments\.", r"ключ \1 требует значений: \2"),
    (r"Option (.*) does not take a value\.", r"ключ \1 не принимает значения"),
)


def usage_text(e: click.UsageError) -> str:
    """Click's complaint in the current language, with where to read more."""
    hint = ""
    if e.ctx is not None:
        place = f"{e.ctx.command_path} --help"
        hint = text(ru=f" Справка: {place}", en=f" Help: {place}")
    return _complaint(e) + hint


def _complaint(e: click.UsageError) -> str:
    match e:
        case click.MissingParameter():
            name = e.param_hint or (e.param.get_error_hint(e.ctx) if e.param and e.ctx else "")
            shown = name if isinstance(name, str) else ", ".join(name)
            return text(ru=f"не указано {shown}.", en=f"missing {shown}.")
        case click.BadParameter():
            name = e.param_hint or (e.param.get_error_hint(e.ctx) if e.param and e.ctx else "")
            detail = _translated(e.message)
            return text(ru=f"{name}: {detail}.", en=f"{name}: {e.message}")
        case click.NoSuchOption():
            near = ", ".join(e.possibilities or ())
            ru, en = f"нет ключа {e.option_name}.", f"no such option {e.option_name}."
            more = text(ru=f" Похожие: {near}.", en=f" Did you mean: {near}?") if near else ""
            return text(ru=ru, en=en) + more
    extra = _EXTRA.match(e.message)
    if extra:
        return text(ru=f"лишнее: {extra['what']}.", en=f"unexpected: {extra['what']}.")
    return text(ru=_translated(e.message) + ".", en=e.message)


def _translated(message: str) -> str:
    for pattern, russian in _VALUES:
        found = re.fullmatch(pattern, message)
        if found:
            return found.expand(russian)
    return message.rstrip(".")
