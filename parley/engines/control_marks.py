"""The marks by which chat templates tell who speaks: nobody may write a system prompt by saying one.

One of them is ours: what stands around a tool's result where a model knows no such role.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

RESULT, RESULT_ENDS = "<tool_result>", "</tool_result>"
COMMON = r"</?tool_result>|<\|[^|<>\s]{1,40}\|>|</?s>|\[/?INST\]|<</?SYS>>|<(?:start|end)_of_turn>"
"""What models of the common families read as marks, whatever else theirs are."""


class Neutralizer:
    """Takes marks out of a chat, whoever speaks: the agent, for one, repeats what callers say."""

    def __init__(self, marks: Iterable[str] = ()) -> None:
        """marks: those of a model that is known, beside the common ones."""
        longest_first = sorted({mark for mark in marks if mark}, key=len, reverse=True)
        self._marks = re.compile("|".join([*map(re.escape, longest_first), COMMON]))

    def clean(self, text: str) -> str:
        """Return the text without marks; one that appears by taking out another goes, too."""
        while self._marks.search(text):
            text = self._marks.sub("", text)
        return text
