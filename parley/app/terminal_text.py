"""Make text of any origin safe to show: what a caller sent never moves the cursor or reverses a line."""

from __future__ import annotations

import unicodedata

UNSAFE_CATEGORIES = {"Cc", "Cf", "Cs", "Co", "Zl", "Zp"}
"""Unicode categories: control, format (bidirectional overrides too), surrogate, private use, line separators."""
JOINERS = "\u200c\u200d"
"""Format characters that scripts and emoji need, and that move nothing."""


def visible(text: str, keep: str = "") -> str:
    r"""Return the text with control and format characters written out (`\x1b`, `\u202e`).

    keep: characters that may stay as they are, for instance line feeds.
    """
    if text.isprintable():
        return text
    return "".join(char if char in keep or not _is_unsafe(char) else _written_out(char) for char in text)


def _is_unsafe(char: str) -> bool:
    return unicodedata.category(char) in UNSAFE_CATEGORIES and char not in JOINERS


def _written_out(char: str) -> str:
    return char.encode("unicode_escape", "backslashreplace").decode("ascii")
