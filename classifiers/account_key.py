"""The key of a 20-character account number: digit 9, by the Bank of Russia's order 515 of 08.09.1997.

The key makes the sum of the low digits of 23 products divisible by 10: three digits of the bank that keeps the account, then the account,
times the weights 7, 1, 3 repeated. The three digits are BIC[7..9] for an account kept in a bank, and "0" with BIC[5..6] for one kept in
the Bank of Russia itself (correspondent accounts, the Treasury's). Checked against every account of two real directories (49,897).
"""

from __future__ import annotations

import re
from operator import mul

_WEIGHTS = (7, 1, 3) * 7 + (7, 1)
_ZEROS = ord("0") * sum(_WEIGHTS)
"""What the codes of the digits add to the sum of products."""
_LETTERS = dict(zip("АВСЕНКМРТХ" + "ABCEHKMPTX", "0123456789" * 2, strict=True))
"""Digit 6 may be a letter (clearing currencies); it counts as a digit. Cyrillic as the order has it, and the Latin look-alikes."""
_FORM = re.compile(r"[0-9]{5}[0-9АВСЕНКМРТХABCEHKMPTX][0-9]{14}")
_BIC = re.compile(r"[0-9]{9}")
_KEY_PLACE = 8

CBR_DIVISIONS = frozenset({"000", "001", "002"})
"""BIC[7..9] of the Bank of Russia's own divisions: the accounts they keep are accounts in the Bank of Russia."""


def is_account(account: str) -> bool:
    """Twenty characters: digits, with a letter allowed in place 6."""
    return _FORM.fullmatch(account) is not None


def is_bic(bic: str) -> bool:
    """Nine digits (not "04..." only: the directory has fifteen prefixes)."""
    return _BIC.fullmatch(bic) is not None


def bank_prefix(bic: str) -> str:
    """The digits for an account kept in the bank `bic`."""
    return bic[6:9]


def cbr_prefix(bic: str) -> str:
    """The digits for an account kept in the Bank of Russia, by the BIC of its division (or of the participant)."""
    return "0" + bic[4:6]


def key_ok(prefix: str, account: str) -> bool:
    """Whether the key of `account` is right for the three digits `prefix`. Both must have the right form."""
    return _sum(prefix, account) % 10 == 0


def with_key(prefix: str, account: str) -> str:
    """`account` with its key (place 9) replaced by the right one."""
    zeroed = account[:_KEY_PLACE] + "0" + account[_KEY_PLACE + 1 :]
    key = _sum(prefix, zeroed) * 3 % 10
    return zeroed[:_KEY_PLACE] + str(key) + zeroed[_KEY_PLACE + 1 :]


def _sum(prefix: str, account: str) -> int:
    digits = prefix + account[:5] + _LETTERS.get(account[5], account[5]) + account[6:]
    total: int = sum(map(mul, digits.encode(), _WEIGHTS))
    return total - _ZEROS
