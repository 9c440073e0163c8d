"""English."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import date
from typing import Final

from parley.conversation.flow.languages import en_days, en_numbers
from parley.conversation.flow.languages.base import Wording
from parley.conversation.flow.step import AnswerKind

_BEFORE_VALUE: Final[Mapping[AnswerKind, Sequence[str]]] = {
    AnswerKind.DAY: ("on", "for", "how about", "i'd like"),
    AnswerKind.DIGITS: ("it's", "it is", "my number is"),
    AnswerKind.NUMBER: ("it's", "for", "about"),
    AnswerKind.CHOICE: ("the", "i'd like"),
}


class English:
    """English as spoken on the telephone; dates the American way, with the month first on the keypad."""

    code: Final = "en"
    fillers: Final = frozenset(
        {"uh", "um", "uhm", "er", "erm", "ah", "hmm", "hm", "mm", "mhm", "well", "please", "so", "like", "hello", "hi"}
    )
    negations: Final = frozenset(
        {
            *("not", "not on", "not for", "not the", "isn't", "wasn't", "don't", "didn't", "doesn't", "can't", "never"),
            *("don't want", "don't want to", "don't need", "do not want", "do not want to", "do not need"),
        }
    )
    repairs: Final = (
        "no",
        "nope",
        "sorry",
        "wait",
        "actually",
        "not",
        "i said",
        "i meant",
        "i mean",
        "make (it | that)",
        "change",
        "rather",
    )
    corrections: Final = ("no [i said | i meant | make it]", "i (said | meant)", "make it", "sorry")
    taken_back: Final = ("[no] not",)
    courtesies: Final = ("please",)
    greetings: Final = ("hello", "hi")
    intents: Final[Mapping[str, Sequence[str]]] = {
        "yes": (
            "(yes | yeah | yep | yup) [please | thanks | thank you | correct | right | sure]",
            "yes (it is | you are | that is | i do | i would)",
            "[yes | yeah] (that's | that is | it's) (right | correct | fine | good)",
            "[that's | that is] (correct | right)",
            "[yes] (sure | okay | of course | absolutely | exactly | perfect | definitely)",
            "sounds good",
            "go ahead",
        ),
        "no": (
            "(no | nope | nah) [please | thanks | thank you | sorry | never]",
            "no (it isn't | it's not | it is not | i don't | i wouldn't)",
            "[no] (that's | that is | it's) (wrong | incorrect | not right | not correct | not it)",
            "(that isn't | that wasn't | it isn't) (right | correct | it | me)",
            "(wrong | incorrect | not right | not correct | not really)",
            "[no] (that's all | that is all | nothing else)",
        ),
        "person": (
            "[i want to | i'd like to | i would like to | can i] (speak | talk) to "
            "(a (person | human | real person | human being | representative | receptionist) | an (agent | operator) "
            "| someone | somebody)",
            "[i want | i need | get me] a (person | human | real person | human being | representative | receptionist)",
            "[i want | i need | get me] an (agent | operator)",
            "person",
            "human | agent | operator | representative | receptionist | real person | human being | customer service",
            "(put me through | transfer me) [to (someone | somebody | a person | an agent)]",
        ),
        "repeat": (
            "[please] (repeat | say) (that | it) [again]",
            "(repeat | again | pardon | pardon me | excuse me | sorry) [please]",
            "(can | could) you (repeat | say) (that | it) [again]",
            "(what was that | what did you say | come again | one more time | i didn't (catch | hear) that)",
        ),
        "help": (
            "help [me] [please]",
            "what (can | should | do) i (say | do)",
            "what are my (options | choices)",
        ),
        "goodbye": (
            "(goodbye | bye | bye bye) [thanks | thank you]",
            "[thanks | thank you] (goodbye | bye | bye bye)",
            "(hang up | end the call)",
        ),
        "start_over": (
            "[let's | can we | please] start (over | again)",
            "[go] back to the (start | beginning)",
            "(start from the beginning | restart)",
        ),
    }
    labels: Final[Mapping[str, str]] = {
        "yes": "yes",
        "no": "no",
        "person": "a person",
        "repeat": "repeat",
        "help": "help",
        "goodbye": "goodbye",
        "start_over": "start over",
    }
    sayings: Final[Mapping[str, str]] = {
        "no_match_1": "Sorry, I didn't understand that.",
        "no_match_2": "Sorry, I still didn't get that.",
        "no_input_1": "Sorry, I didn't hear you.",
        "no_input_2": "I still can't hear you. You can also use the keys of your phone.",
        "give_up": "I'm sorry, I can't seem to understand. Let me put you through to someone who can help.",
        "person": "Of course. Let me put you through to someone.",
        "goodbye": "Thank you for calling. Goodbye.",
        "start_over": "All right, let's start again.",
        "resumed": "Sorry, I lost you for a moment.",
        "help": "You can answer in your own words, or use the keys of your phone.",
        "did_you_say": "Did you say {value}?",
        "read_back": "I have {value}. Is that right?",
        "echo": "{value}.",
        "not_right": "Sorry about that.",
        "yes_no_keys": "Press 1 for yes, or 2 for no.",
        "choice_key": "For {value}, press {key}.",
        "person_key": "To speak to a person, press 0.",
        "digits_keys": "Please key in the {longest} digits.",
        "digits_keys_range": "Please key in {shortest} to {longest} digits, then press the pound key.",
        "number_keys": "Please key in the number, then press the pound key.",
        "day_keys": (
            "Press 8 for today, 9 for tomorrow, or 1 to 7 for Monday to Sunday. "
            "For any other day, key in the month and the day as four digits."
        ),
        "free_keys": "To go on without answering, press 1.",
        "wrong_length": "That number should have {length} digits.",
        "out_of_range": "That should be between {lowest} and {highest}.",
        "closed_day": "We are closed on {value}.",
        "day_out_of_range": "That would be {value}, which I cannot offer.",
        "reason_person": "asked for a person",
        "reason_not_understood": "could not be understood",
    }

    def words(self, text: str) -> list[str]:
        """Split into lower-case words; digits lose their separators, 'ok' is written 'okay'."""
        text = text.lower().replace("\u2019", "'")
        text = re.sub(r"(?<=[0-9]),(?=[0-9]{3}\b)", "", text)
        found = (word.strip("'") for word in re.findall(r"[^\W_]+(?:'[^\W_]+)*", text))
        return ["okay" if word == "ok" else word for word in found if word]

    def join(self, words: Sequence[str]) -> str:
        """Put spaces between."""
        return " ".join(words)

    def before_value(self, kind: AnswerKind) -> Sequence[str]:
        """Return what callers say before a value."""
        return _BEFORE_VALUE.get(kind, ())

    def may_be_in_dictionary(self, word: str) -> bool:
        """Letters and apostrophes only."""
        return re.fullmatch(r"[a-z]+(?:'[a-z]+)*", word) is not None

    def parse_digits(self, words: Sequence[str]) -> str | None:
        """Return the digits that these words are, or None."""
        return en_numbers.parse_digits(words)

    def parse_number(self, words: Sequence[str]) -> int | None:
        """Return the number that these words are, or None."""
        return en_numbers.parse_number(words)

    def parse_day(self, words: Sequence[str], today: date) -> date | None:
        """Return the day that these words are, or None."""
        return en_days.parse_day(words, today)

    def say_digits(self, digits: str) -> str:
        """Write '1 2 3'."""
        return " ".join(digits)

    def say_number(self, number: int) -> str:
        """Write 'one hundred five'."""
        return en_numbers.say_number(number)

    def say_day(self, day: date, today: date) -> str:
        """Write 'tomorrow', 'Thursday' or 'Thursday, March fifth'."""
        return en_days.say_day(day, today)

    def say_date(self, day: date) -> str:
        """Write 'Thursday, March fifth'."""
        return en_days.say_date(day)

    def say_weekday(self, weekday: int) -> str:
        """Write 'Thursday'."""
        return en_days.WEEKDAYS[weekday]

    def digits_wording(self, shortest: int, longest: int) -> Wording:
        """Return how digits are said."""
        return en_numbers.digits_wording(shortest, longest)

    def number_wording(self, highest: int) -> Wording:
        """Return how numbers are said."""
        return en_numbers.number_wording(highest)

    def day_wording(self) -> Wording:
        """Return how days are said."""
        return en_days.DAY_WORDING
