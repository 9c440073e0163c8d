"""What the recognition benchmark plays: answers within four grammars, and what is no answer to any of them.

All of it is synthetic: the words are spoken by flite and espeak-ng, the noises are computed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial

import numpy as np
import numpy.typing as npt

RATE_HZ = 8000
_EVERYWHERE = "(an agent | a person | the operator) | repeat [that] [please] | help"

GRAMMARS = {
    "yes_no": f"""#JSGF V1.0; grammar answer; public <answer> = yes | yeah | yep | sure | correct | that is right
        | yes please | no | nope | no thanks | no thank you | that is wrong | {_EVERYWHERE};""",
    "day": f"""#JSGF V1.0; grammar answer;
        public <answer> = [on] [next | this] <day> [<time>] | today | tomorrow [<time>] | {_EVERYWHERE};
        <day> = monday | tuesday | wednesday | thursday | friday | saturday | sunday;
        <time> = morning | afternoon;""",
    "digits": f"""#JSGF V1.0; grammar answer;
        public <answer> = [it is | my number is] <d> <d> <d> <d> <d> <d> | {_EVERYWHERE};
        <d> = zero | oh | one | two | three | four | five | six | seven | eight | nine;""",
    "intent": f"""#JSGF V1.0; grammar answer; public <answer> = [<polite>] <intent> [please] | {_EVERYWHERE};
        <polite> = i would like to | i want to | can i | i need to;
        <intent> = pay (my | a) bill | check my balance | what is my balance | (book | make) an appointment
        | (cancel | change) my appointment | report (a problem | an outage) | speak to (an agent | a person | someone)
        | track my order | where is my order | [what are your] opening hours | technical support | billing | sales;""",
    "digit": """#JSGF V1.0; grammar answer;
        public <answer> = zero | one | two | three | four | five | six | seven | eight | nine;""",
}

ANSWERS = {
    "yes_no": """yes|yeah|yep|sure|correct|that is right|yes please|no|nope|no thanks|no thank you|that is wrong
        |an agent|help|a person|repeat that please""",
    "day": """monday|tuesday|wednesday|thursday|friday|saturday|sunday|on monday morning|next tuesday
        |this wednesday afternoon|thursday morning|on friday|tomorrow|today|tomorrow morning|next saturday afternoon""",
    "digits": """four eight two nine one six|zero zero five three one seven|nine eight seven six five four
        |my number is one two three four five six|it is two two zero one nine eight|seven five oh three three one
        |six one four nine eight two|three seven seven two zero five|eight oh one five six nine
        |one one two eight four seven|five nine zero six two three|two four six eight zero one""",
    "intent": """pay my bill|i would like to pay my bill please|check my balance|what is my balance
        |i want to check my balance|book an appointment|i need to make an appointment please|cancel my appointment
        |can i change my appointment|report a problem|i want to report an outage|speak to an agent please
        |i would like to speak to someone|track my order|where is my order|opening hours|what are your opening hours
        |technical support please|billing|sales""",
}

NONSENSE = """the weather is lovely in the mountains|my dog ate the newspaper again|purple elephants dance at midnight
    |we went to the cinema with grandmother|can you put the kettle on darling|the stock market fell sharply
    |he kicked the ball over the fence|i think the potatoes are burning|turn down the television please
    |where did you put the car keys|chocolate ice cream with strawberries|she plays the violin beautifully
    |it was raining all week long|did you feed the cat|the government announced a reform
    |my brother lives in australia|let us paint the kitchen yellow|the train leaves from platform b
    |wash your hands before dinner|those shoes are far too expensive|banana|umbrella|hippopotamus|refrigerator
    |congratulations|mountain|university|telephone|orchestra|pumpkin|strawberry|volcano|butterfly|mechanic|parliament
    |could you hold on a moment there is somebody at the door|hang on i am just looking for my glasses
    |who is calling i do not know this company|oh for heavens sake not another robot|la la la la la la la"""

SPEAKERS = (
    ("flite", "rms"),
    ("flite", "slt"),
    ("flite", "awb"),
    ("flite", "kal16"),
    ("espeak-ng", "en-us"),
    ("espeak-ng", "en-gb+f2"),
    ("espeak-ng", "en-us+m3"),
)

Samples = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Utterance:
    """One thing said into one grammar."""

    grammar: str
    kind: str
    """`answer`, `nonsense` or `noise`."""
    text: str
    speaker: tuple[str, str] | None = None
    """Engine and voice; None for a noise, whose name is `text`."""

    @property
    def tuning(self) -> bool:
        """Whether it belongs to the half that weights are tuned on; all its speakers do then."""
        return _HALVES[self.text]


def utterances() -> Iterator[Utterance]:
    """Yield the set: 64 answers and 40 nonsenses by two speakers each, 34 noises in two grammars each."""
    for grammar, answers in ANSWERS.items():
        for index, text in enumerate(phrases(answers)):
            for turn in range(2):
                speaker = SPEAKERS[(index * 2 + turn + len(grammar)) % len(SPEAKERS)]
                yield Utterance(grammar, "answer", text, speaker)
    names = list(ANSWERS)
    for index, text in enumerate(phrases(NONSENSE)):
        for turn in range(2):
            speaker = SPEAKERS[(index + 3 * turn) % len(SPEAKERS)]
            yield Utterance(names[(index + turn) % len(names)], "nonsense", text, speaker)
    for index, name in enumerate(NOISES):
        for turn in range(2):
            yield Utterance(names[(index + 2 * turn) % len(names)], "noise", name)


def phrases(text: str) -> list[str]:
    """Split a set at its bars."""
    return [" ".join(phrase.split()) for phrase in text.split("|")]


def _time(seconds: float) -> Samples:
    return np.arange(int(seconds * RATE_HZ)) / RATE_HZ


def _white(number: int) -> Samples:
    return np.random.default_rng(number).normal(0, 1, int(RATE_HZ * (0.6 + 0.4 * number)))


def _rumble(number: int) -> Samples:
    walk = np.cumsum(np.random.default_rng(number + 10).normal(0, 1, 2 * RATE_HZ))
    return walk - np.convolve(walk, np.ones(400) / 400, "same")


def _tone(number: int) -> Samples:
    low, high = ((350, 440), (440, 480), (1000, 1000), (2100, 2100), (480, 620))[number]
    return np.sin(2 * np.pi * low * _time(2)) + np.sin(2 * np.pi * high * _time(2))


def _breath(number: int) -> Samples:
    air = np.convolve(np.random.default_rng(number + 20).normal(0, 1, 2 * RATE_HZ), np.ones(6 + number), "same")
    return np.asarray(air * np.sin(2 * np.pi * 0.4 * _time(2) + number) ** 2)


def _music(number: int) -> Samples:
    random = np.random.default_rng(number + 30)
    beat = _time(0.25)
    bars = []
    for _ in range(8):
        root = 220 * 2 ** (random.integers(0, 12) / 12)
        notes = (
            np.sin(2 * np.pi * root * step * harmonic * beat) / harmonic
            for step in (1, 1.25, 1.5)
            for harmonic in (1, 2, 3, 4)
        )
        bars.append(np.sum(list(notes), axis=0) * np.exp(-6 * beat))
    return np.concatenate(bars)


def _knocks(number: int) -> Samples:
    random = np.random.default_rng(number + 40)
    sound = np.zeros(2 * RATE_HZ)
    for start in random.integers(0, len(sound) - 800, 6):
        sound[start : start + 800] += random.normal(0, 1, 800) * np.exp(-np.arange(800) / 60)
    return sound


def _cough(number: int) -> Samples:
    random = np.random.default_rng(number + 50)
    once = _time(0.35)
    rise_and_fall = np.exp(-once / 0.11) * (1 - np.exp(-once / 0.0075))
    voice = 0.5 * np.sign(np.sin(2 * np.pi * (110 + 10 * number) * once))
    bark = (random.normal(0, 1, len(once)) + voice) * rise_and_fall
    return np.concatenate([bark, np.zeros(RATE_HZ // 4), bark])


NOISES: dict[str, Callable[[], Samples]] = {
    f"{make.__name__.strip('_')} {number}": partial(make, number)
    for make, count in ((_white, 5), (_rumble, 5), (_tone, 5), (_breath, 5), (_music, 6), (_knocks, 4), (_cough, 4))
    for number in range(count)
}

_HALVES = {
    text: index % 2 == 0
    for index, text in enumerate(
        dict.fromkeys([*(p for texts in ANSWERS.values() for p in phrases(texts)), *phrases(NONSENSE), *NOISES])
    )
}
