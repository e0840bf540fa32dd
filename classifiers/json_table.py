"""Open data as JSON: a list of records somewhere in it, each an object that names our columns, whatever lies around and inside it."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping

from classifiers.reading import Reading
from classifiers.recognise import head_text
from classifiers.source import refused

MAX_JSON_BYTES = 16 * 1024 * 1024
"""A JSON is read whole, and takes ten times its size."""
MAX_DEPTH = 32


def looks_like_json(head: bytes) -> bool:
    return head_text(head).lstrip("\ufeff \t\r\n").startswith(("[", "{"))


def json_records(reading: Reading, text: str) -> Iterator[Mapping[str, str]]:
    """Every object with its plain values as texts, outer ones before those inside them. ClassifierInvalid: no JSON, too deep."""
    place = reading.member.place
    try:
        whole = json.loads(text)
    except json.JSONDecodeError as error:
        at_ru, at_en = f"строка {error.lineno}, символ {error.colno}", f"line {error.lineno}, column {error.colno}"
        ru, en = f"{at_ru}: ошибка JSON или файл обрывается", f"{at_en}: broken JSON, or the file is cut short"
        raise refused(place, ru, en) from error
    except (ValueError, RecursionError) as error:
        raise refused(place, f"не JSON: {error}", f"no JSON: {error}") from error
    yield from _objects(whole, place, 0)


def _objects(node: object, place: str, depth: int) -> Iterator[Mapping[str, str]]:
    if depth > MAX_DEPTH:
        raise refused(place, f"вложенность больше {MAX_DEPTH}", f"nesting deeper than {MAX_DEPTH}")
    if isinstance(node, dict):
        yield {str(name): _text(value) for name, value in node.items() if not isinstance(value, dict | list)}
        node = list(node.values())
    if isinstance(node, list):
        for inner in node:
            if isinstance(inner, dict | list):
                yield from _objects(inner, place, depth + 1)


def _text(value: object) -> str:
    match value:
        case None:
            return ""
        case bool():
            return str(value).lower()
        case float() if value.is_integer():
            return str(int(value))
        case _:
            return str(value)
