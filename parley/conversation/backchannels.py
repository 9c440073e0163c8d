"""Words by which a listener says no more than "I am listening": they take nobody's turn."""

from __future__ import annotations

import re
from collections.abc import Mapping
from enum import Enum


class Backchannel(Enum):
    """What a short sound over the agent's voice may mean."""

    MURMUR = "murmur"
    """Never an answer: 'uh-huh', 'mm-hm', 嗯."""
    AGREEMENT = "agreement"
    """An answer where one was asked for, else a murmur: 'yeah', 'okay', 对."""


_MURMURS: Mapping[str, frozenset[str]] = {
    "en": frozenset(
        {
            *(
                "uh huh",
                "uhhuh",
                "mm hm",
                "mmhm",
                "mhm",
                "mm hmm",
                "mmhmm",
                "mm",
                "mmm",
                "hm",
                "hmm",
                "ah",
                "oh",
                "aha",
            ),
            *("uh", "um", "er", "erm", "oh okay", "i see", "ah okay"),
        }
    ),
    "zh": frozenset({"嗯", "哦", "噢", "喔", "啊", "呃", "额", "唔", "呵", "嗯哼", "这样啊", "是吗"}),
}
_AGREEMENTS: Mapping[str, frozenset[str]] = {
    "en": frozenset(
        {
            *("yeah", "yep", "yup", "yes", "ok", "okay", "right", "sure", "alright", "all right", "got it", "fine"),
            *("of course", "exactly", "good", "great", "cool"),
        }
    ),
    "zh": frozenset({"对", "对的", "好", "好的", "好吧", "行", "是", "是的", "可以", "明白", "知道", "知道了", "没错"}),
}
_SPACE = re.compile(r"[\s\-,.!?~，。！？、～]+")
MOST_WORDS = 4
"""'Yeah, yeah, yeah, okay' still is one; who says more wants to say something."""


def backchannel_in(text: str, language: str) -> Backchannel | None:
    """Tell what kind of backchannel a whole utterance is; None when it is none, or empty.

    language: BCP-47 primary tag; in one that has no list nothing is a backchannel.
    """
    murmurs, agreements = _MURMURS.get(language, frozenset()), _AGREEMENTS.get(language, frozenset())
    words = _SPACE.sub("" if language == "zh" else " ", text.lower()).strip()
    kinds = _kinds(words, murmurs, agreements, language)
    if not kinds:
        return None
    return Backchannel.AGREEMENT if Backchannel.AGREEMENT in kinds else Backchannel.MURMUR


def _kinds(words: str, murmurs: frozenset[str], agreements: frozenset[str], language: str) -> list[Backchannel]:
    """Return the kinds of the expressions that the words consist of, the longest first; none where others are there."""
    kinds: list[Backchannel] = []
    known = sorted(murmurs | agreements, key=len, reverse=True)
    gap = "" if language == "zh" else " "
    while words:
        found = next((each for each in known if words == each or words.startswith(each + gap)), None)
        if found is None or len(kinds) == MOST_WORDS:
            return []
        kinds.append(Backchannel.MURMUR if found in murmurs else Backchannel.AGREEMENT)
        words = words[len(found) :].lstrip()
    return kinds
