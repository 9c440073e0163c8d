"""Language packs: everything about a language that a flow needs. One module per language, one Protocol."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from parley.conversation.flow.languages.base import SAYINGS, Language, Wording, scan
from parley.conversation.flow.languages.en import English
from parley.conversation.flow.languages.zh import Mandarin

__all__ = ["LANGUAGES", "SAYINGS", "Language", "Wording", "scan"]

LANGUAGES: Final[Mapping[str, Language]] = {pack.code: pack for pack in (English(), Mandarin())}
"""Pack by BCP-47 primary tag."""
