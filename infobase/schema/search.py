"""The search key: what case-insensitive Cyrillic search and list order compare, the same on every engine."""

from __future__ import annotations


def search_key(value: str) -> str:
    """«Ёлка» -> «елка»: case folded, ё as е. Stored beside the text, compared byte by byte."""
    return value.casefold().replace("ё", "е")
