"""Phones (ARPAbet) for words that the decoder's dictionary lacks: by espeak-ng, or by letter rules without it."""

from __future__ import annotations

import re
import shutil
import subprocess
import unicodedata
from functools import lru_cache

DEADLINE_S = 2.0

_IPA = {
    "tʃ": "CH", "dʒ": "JH", "aɪ": "AY", "aʊ": "AW", "eɪ": "EY", "oʊ": "OW", "əʊ": "OW", "ɔɪ": "OY",
    "iə": "IY AH", "ɜ": "ER", "ɚ": "ER", "ə": "AH", "ɐ": "AH", "ʌ": "AH", "æ": "AE", "a": "AE", "ɛ": "EH", "e": "EH",
    "ɪ": "IH", "ᵻ": "IH", "i": "IY", "ʊ": "UH", "u": "UW", "ɑ": "AA", "ɒ": "AA", "ɔ": "AO", "o": "AO",
    "b": "B", "d": "D", "ɾ": "D", "f": "F", "ɡ": "G", "h": "HH", "k": "K", "x": "K", "l": "L", "ɫ": "L", "m": "M",
    "n": "N", "ŋ": "NG", "p": "P", "ɹ": "R", "r": "R", "s": "S", "ʃ": "SH", "t": "T", "ʔ": "T", "θ": "TH", "ð": "DH",
    "v": "V", "w": "W", "j": "Y", "z": "Z", "ʒ": "ZH",
}  # fmt: skip

_LETTERS = {
    "tch": "CH", "igh": "AY", "sch": "SH", "ch": "CH", "sh": "SH", "th": "TH", "ph": "F", "ck": "K", "ng": "NG",
    "qu": "K W", "wh": "W", "kn": "N", "ee": "IY", "ea": "IY", "oo": "UW", "oa": "OW", "ai": "EY", "ay": "EY",
    "ey": "IY", "ie": "IY", "oi": "OY", "oy": "OY", "ou": "AW", "ow": "OW", "au": "AO", "aw": "AO", "ew": "UW",
    "er": "ER", "ir": "ER", "ur": "ER", "or": "AO R", "ar": "AA R",
    "a": "AE", "b": "B", "c": "K", "d": "D", "e": "EH", "f": "F", "g": "G", "h": "HH", "i": "IH", "j": "JH",
    "k": "K", "l": "L", "m": "M", "n": "N", "o": "AA", "p": "P", "q": "K", "r": "R", "s": "S", "t": "T", "u": "AH",
    "v": "V", "w": "W", "x": "K S", "y": "IY", "z": "Z",
    "0": "Z IH R OW", "1": "W AH N", "2": "T UW", "3": "TH R IY", "4": "F AO R", "5": "F AY V", "6": "S IH K S",
    "7": "S EH V AH N", "8": "EY T", "9": "N AY N",
}  # fmt: skip


def _longest_first(table: dict[str, str]) -> re.Pattern[str]:
    return re.compile("|".join(sorted(map(re.escape, table), key=len, reverse=True)))


_IPA_UNITS = _longest_first(_IPA)
_LETTER_UNITS = _longest_first(_LETTERS)


@lru_cache(maxsize=4096)
def pronounce(word: str) -> str:
    """Return the word's phones, separated by spaces; empty if it has no Latin letter or digit.

    Blocks for some 10 ms where espeak-ng is installed.
    """
    latin = "".join(char for char in unicodedata.normalize("NFKD", word.lower()) if char.isascii())
    if not any(char.isalnum() for char in latin):
        return ""
    return _by_espeak(latin) or by_letters(latin)


def by_letters(word: str) -> str:
    """Return phones by a small table of English spellings: crude, but never empty for a word with letters."""
    spelled = re.sub(r"(?<=[aeiou][bcdfgklmnprstvz])e$", "", word)
    spelled = re.sub(r"([bcdfgklmnprstvz])\1", r"\1", spelled)
    return " ".join(_LETTERS[unit] for unit in _LETTER_UNITS.findall(spelled))


def by_ipa(ipa: str) -> str:
    """Return phones for espeak-ng's phonetic transcription; stress and length marks are left out."""
    return " ".join(_IPA[unit] for unit in _IPA_UNITS.findall(ipa.replace("ː", "")))


def _by_espeak(word: str) -> str:
    espeak = shutil.which("espeak-ng")
    if espeak is None:
        return ""
    try:
        done = subprocess.run(  # noqa: S603 (no shell; the word goes in by standard input)
            [espeak, "-q", "-v", "en-us", "--ipa", "--stdin"],
            input=word.encode(),
            capture_output=True,
            timeout=DEADLINE_S,
            check=True,
        )
    except (subprocess.SubprocessError, OSError):
        return ""
    return by_ipa(done.stdout.decode(errors="replace"))
