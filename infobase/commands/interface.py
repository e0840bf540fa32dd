"""Click with two languages: help texts are `Bilingual` and chosen when they are shown; `--lang` works before and after the subcommand."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, MutableMapping
from typing import Any, TypeVar

import click

from infobase.errors import UsageError
from infobase.i18n import LANGUAGES, Bilingual, set_language, text

Decorated = TypeVar("Decorated", bound=Callable[..., Any])


def _apply_language(_: click.Context, __: click.Parameter, value: str | None) -> None:
    if value:
        set_language(value)


class Option(click.Option):
    """An option whose help is `Bilingual`."""

    def __init__(self, *names: Any, says: Bilingual | None = None, **settings: Any) -> None:
        super().__init__(*names, **settings)
        self.says = says

    def get_help_record(self, ctx: click.Context) -> tuple[str, str] | None:
        if self.says is not None:
            self.help = str(self.says)
        return super().get_help_record(ctx)


def language_option() -> Option:
    return Option(
        ["--lang"],
        type=click.Choice(LANGUAGES),
        expose_value=False,
        is_eager=True,
        callback=_apply_language,
        says=Bilingual("Язык сообщений: ru или en", "Language of messages: ru or en"),
    )


class _Bilingual(click.Command):
    """What commands and groups share: the help in the current language."""

    says: Bilingual

    def get_help(self, ctx: click.Context) -> str:
        self.help = str(self.says)
        return super().get_help(ctx)

    def get_short_help_str(self, limit: int = 45) -> str:
        return str(self.says).split("\n", 1)[0]

    def get_help_option(self, ctx: click.Context) -> click.Option | None:
        found = super().get_help_option(ctx)
        if found is not None:
            found.help = text(ru="Показать эту справку", en="Show this help")
        return found

    def format_usage(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        self.options_metavar = text(ru="[КЛЮЧИ]", en="[OPTIONS]")
        pieces = " ".join(self.collect_usage_pieces(ctx))
        formatter.write_usage(ctx.command_path, pieces, prefix=text(ru="Вызов: ", en="Usage: "))

    def _write_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        options = (p for p in self.get_params(ctx) if isinstance(p, click.Option))
        records = [r for p in options if (r := p.get_help_record(ctx)) is not None]
        if records:
            with formatter.section(text(ru="Ключи", en="Options")):
                formatter.write_dl(records)


class Command(_Bilingual):
    def __init__(self, *args: Any, says: Bilingual, **settings: Any) -> None:
        super().__init__(*args, **settings)
        self.says = says
        self.params.append(language_option())

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        self._write_options(ctx, formatter)


class Group(_Bilingual, click.Group):
    def __init__(self, *args: Any, says: Bilingual, **settings: Any) -> None:
        super().__init__(*args, **settings)
        self.says = says
        self.no_args_is_help = not self.invoke_without_command
        self.params.append(language_option())

    def collect_usage_pieces(self, ctx: click.Context) -> list[str]:
        self.subcommand_metavar = text(ru="КОМАНДА ...", en="COMMAND ...")
        return super().collect_usage_pieces(ctx)

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        self._write_options(ctx, formatter)
        self.format_commands(ctx, formatter)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        rows = [(name, command.get_short_help_str()) for name, command in self.commands.items()]
        with formatter.section(text(ru="Команды", en="Commands")):
            formatter.write_dl(rows)

    def list_commands(self, ctx: click.Context) -> list[str]:
        """In the order they were added: the order of a day's work, not of the alphabet."""
        return list(self.commands)

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        if args and not args[0].startswith("-") and self.get_command(ctx, args[0]) is None:
            options = ", ".join(self.commands)
            ru, en = f"нет команды «{args[0]}»; есть: {options}", f"no command {args[0]!r}; there are: {options}"
            raise UsageError(detail=text(ru=ru, en=en))
        return super().resolve_command(ctx, args)


class Deferred(MutableMapping[str, click.Command]):
    """Commands by name, each imported when it is first wanted: a program of many parts starts as fast as the part that is run."""

    def __init__(self, sources: Mapping[str, Callable[[], click.Command]]) -> None:
        self._sources, self._made = dict(sources), dict[str, click.Command]()

    def __getitem__(self, name: str) -> click.Command:
        if name not in self._made:
            self._made[name] = self._sources[name]()
        return self._made[name]

    def __setitem__(self, name: str, command: click.Command) -> None:
        self._sources[name] = lambda: command
        self._made[name] = command

    def __delitem__(self, name: str) -> None:
        del self._sources[name]
        self._made.pop(name, None)

    def __iter__(self) -> Iterator[str]:
        return iter(self._sources)

    def __len__(self) -> int:
        return len(self._sources)


def group(name: str, *, ru: str, en: str, **settings: Any) -> Group:
    return Group(name, says=Bilingual(ru, en), **settings)


def command(name: str, *, ru: str, en: str) -> Callable[[Callable[..., Any]], Command]:
    """A command with its help in both languages; the first line is the short help."""

    def make(function: Callable[..., Any]) -> Command:
        function.__doc__ = None
        return click.command(name, cls=Command, says=Bilingual(ru, en))(function)

    return make


def command_in(family: Group, name: str, *, ru: str, en: str) -> Callable[[Callable[..., Any]], Command]:
    """The same, added to a group."""

    def make(function: Callable[..., Any]) -> Command:
        made = command(name, ru=ru, en=en)(function)
        family.add_command(made)
        return made

    return make


def option(*names: str, ru: str, en: str, **settings: Any) -> Callable[[Decorated], Decorated]:
    return click.option(*names, cls=Option, says=Bilingual(ru, en), **settings)


json_option = option(
    "--json", "as_json", is_flag=True, ru="Вывести JSON в стандартный вывод", en="Print JSON to standard output"
)
yes_option = option("--yes", "-y", is_flag=True, ru="Не спрашивать подтверждения", en="Do not ask to confirm")
