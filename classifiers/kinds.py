"""The kinds this version loads, by name, in the order people are shown them."""

from __future__ import annotations

from collections.abc import Mapping

from classifiers.banks import BANKS
from classifiers.calendar import CALENDAR
from classifiers.enaof import ENAOF
from classifiers.gar_load import GAR
from classifiers.kind import ClassifierKind
from classifiers.kladr_load import KLADR
from classifiers.okei import OKEI
from classifiers.okof import OKOF
from classifiers.okopf import OKOPF
from classifiers.oksm import OKSM
from classifiers.okv import OKV
from classifiers.okved2 import OKVED2
from classifiers.rates import RATES
from infobase.errors import UnknownObject
from infobase.i18n import text
from infobase.metadata.model import CLASSIFIER_KINDS

_ALL = (KLADR, GAR, BANKS, OKOF, ENAOF, OKVED2, OKSM, OKV, RATES, OKEI, OKOPF, CALENDAR)
KINDS: Mapping[str, ClassifierKind] = {
    kind.name: kind for kind in sorted(_ALL, key=lambda k: CLASSIFIER_KINDS.index(k.name))
}


def find_kind(name: str) -> ClassifierKind:
    """A kind by its name. UnknownObject lists those there are."""
    if name not in KINDS:
        options = ", ".join(KINDS)
        raise UnknownObject(
            name=name, hint=text(ru=f"Виды классификаторов: {options}", en=f"Kinds of classifiers: {options}")
        )
    return KINDS[name]
