"""Phones for words that the dictionary lacks."""

from __future__ import annotations

import shutil

import pytest

from parley.engines.pronunciation import by_ipa, by_letters, pronounce
from tests.engines.programs import needs_espeak

ARPABET = {
    *(
        "AA AE AH AO AW AY EH ER EY IH IY OW OY UH UW " + "B CH D DH F G HH JH K L M N NG P R S SH T TH V W Y Z ZH"
    ).split()
}


@pytest.mark.parametrize(
    ("ipa", "phones"),
    [("pˈɑːɹli", "P AA R L IY"), ("dʒˈeɪmz", "JH EY M Z"), ("ʒˈæŋ", "ZH AE NG"), ("tʃˈɜːtʃ", "CH ER CH")],
)
def test_phonetic_transcription_becomes_phones(ipa: str, phones: str) -> None:
    assert by_ipa(ipa) == phones


@pytest.mark.parametrize(
    ("word", "phones"),
    [
        ("acme", "AE K M EH"),
        ("zippy", "Z IH P IY"),
        ("shake", "SH AE K"),
        ("24", "T UW F AO R"),
        ("quix", "K W IH K S"),
    ],
)
def test_letters_become_phones(word: str, phones: str) -> None:
    assert by_letters(word) == phones


def test_without_espeak_letter_rules_are_used(monkeypatch: pytest.MonkeyPatch) -> None:
    pronounce.cache_clear()
    monkeypatch.setattr(shutil, "which", lambda _: None)
    assert pronounce("blorptang") == "B L AO R P T AE NG"


def test_accents_are_dropped_and_other_scripts_have_no_phones(monkeypatch: pytest.MonkeyPatch) -> None:
    pronounce.cache_clear()
    monkeypatch.setattr(shutil, "which", lambda _: None)
    assert pronounce("renée") == "R EH N IY"
    assert pronounce("张伟") == ""
    assert pronounce("--") == ""


@needs_espeak
@pytest.mark.parametrize("word", ["parley", "kowalczyk", "5g", "-q", "x-ray", "o'hara"])
def test_phones_by_espeak_are_those_of_the_dictionary(word: str) -> None:
    phones = pronounce(word).split()
    assert phones
    assert set(phones) <= ARPABET
