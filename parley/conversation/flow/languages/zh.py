"""Mandarin."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping, Sequence
from datetime import date
from typing import Final

from parley.conversation.flow.languages import zh_values
from parley.conversation.flow.languages.base import Wording
from parley.conversation.flow.step import AnswerKind

_BEFORE_VALUE: Final[Mapping[AnswerKind, Sequence[str]]] = {
    AnswerKind.DAY: ("在", "我想", "我要"),
    AnswerKind.DIGITS: ("是", "号码是", "我的号码是"),
    AnswerKind.NUMBER: ("是", "一共"),
    AnswerKind.CHOICE: ("我要", "我想"),
}


class Mandarin:
    """Mandarin in simplified characters. A word is one character; Latin words and digits stand for themselves."""

    code: Final = "zh"
    fillers: Final = frozenset({"呃", "啊", "嗯", "哦", "呀", "吧", "呢", "嘛", "请", "额", "喂"})
    negations: Final = frozenset({"不", "没", "没有", "别", "不想", "不需要", "不是", "不要", "不在"})
    repairs: Final = (
        "不对",
        "不是",
        "不要",
        "不",
        "错了",
        "我说的是",
        "我说",
        "我是说",
        "我要的是",
        "改成",
        "改到",
        "换成",
        "应该是",
        "对不起",
    )
    corrections: Final = ("(不 | 不是 | 不对) [是 | 我说的是 | 改成]", "我说的是", "改成", "应该是")
    taken_back: Final = ("不是", "不要")
    courtesies: Final = ("吧", "谢谢")
    greetings: Final = ("喂",)
    intents: Final[Mapping[str, Sequence[str]]] = {
        "yes": (
            "是 [的 | 啊]",
            "对 [的 | 啊 | 了]",
            "对对 [对]",
            "(好 | 好的 | 行 | 可以 | 没错 | 没问题 | 正确 | 确认 | 当然 | 要 | 要的 | 需要)",
        ),
        "no": (
            "不 [是 | 对 | 行 | 用 | 要 | 需要 | 好 | 正确] [了 | 的] [谢谢]",
            "(错了 | 错 | 不是的 | 不太对 | 没有 | 没有了 | 别)",
        ),
        "person": (
            "[我 (要 | 想) | 帮我 | 给我] [转 | 找 | 接 | 转接] 人工 [客服 | 服务 | 坐席]",
            "[我 (要 | 想) | 帮我 | 给我] (转 | 找 | 接 | 转接) [一个 | 一位 | 个] (真人 | 客服 | 前台 | 工作人员)",
            "[我 (要 | 想)] (和 | 跟) [一个 | 一位 | 个] (真人 | 人 | 客服 | 工作人员) (说 | 讲话 | 说话 | 通话 | 谈)",
            "真人 [客服]",
        ),
        "repeat": (
            "[请] [你] 再说 (一遍 | 一次)",
            "[请] 重复 [一遍 | 一下]",
            "(什么 | 没听清 [楚] | 我没听清 [楚] | 听不清 [楚] | 你说什么)",
        ),
        "help": (
            "(帮助 | 帮帮我 | 怎么办)",
            "[我] (可以 | 能 | 该 | 应该) (怎么说 | 说什么 | 怎么做 | 做什么)",
        ),
        "goodbye": ("(再见 | 拜拜 | 挂了 | 挂电话) [谢谢]", "谢谢 (再见 | 拜拜)"),
        "start_over": ("(重新 | 从头) (开始 | 来)", "[我 (要 | 想)] 重来 [一次 | 一遍]"),
    }
    labels: Final[Mapping[str, str]] = {
        "yes": "是",
        "no": "不是",
        "person": "人工服务",
        "repeat": "再说一遍",
        "help": "帮助",
        "goodbye": "再见",
        "start_over": "重新开始",
    }
    sayings: Final[Mapping[str, str]] = {
        "no_match_1": "对不起，我没有听懂。",
        "no_match_2": "对不起，我还是没有听懂。",
        "no_input_1": "对不起，我没有听到您的声音。",
        "no_input_2": "我还是没有听到您的声音。您也可以使用电话按键。",
        "give_up": "很抱歉，我没能明白您的意思。我帮您转接工作人员。",
        "person": "好的，我帮您转接工作人员。",
        "goodbye": "感谢您的来电，再见。",
        "start_over": "好的，我们重新开始。",
        "resumed": "抱歉，刚才线路中断了一下。",
        "help": "您可以直接说出来，也可以使用电话按键。",
        "did_you_say": "您说的是{value}，对吗？",
        "read_back": "我记录的是{value}，对吗？",
        "echo": "{value}。",
        "not_right": "不好意思。",
        "yes_no_keys": "是，请按1；不是，请按2。",
        "choice_key": "{value}，请按{key}。",
        "person_key": "人工服务，请按0。",
        "digits_keys": "请用按键输入{longest}位数字。",
        "digits_keys_range": "请用按键输入{shortest}到{longest}位数字，按井号键结束。",
        "number_keys": "请用按键输入数字，按井号键结束。",
        "day_keys": "今天请按8，明天请按9，星期一到星期天请按1到7。其他日期，请输入四位数字，月份在前，日期在后。",
        "free_keys": "跳过这个问题，请按1。",
        "wrong_length": "这个号码应该是{length}位数字。",
        "out_of_range": "这个数字应该在{lowest}到{highest}之间。",
        "closed_day": "{value}我们不营业。",
        "day_out_of_range": "{value}不能预约。",
        "reason_person": "要求人工服务",
        "reason_not_understood": "没能听懂来电者的话",
    }

    def words(self, text: str) -> list[str]:
        """Split into characters; full-width forms become ordinary ones, punctuation goes."""
        text = unicodedata.normalize("NFKC", text).lower()
        return re.findall(r"[0-9]|[a-z]+(?:'[a-z]+)*|[^\W_a-z0-9]", text)

    def join(self, words: Sequence[str]) -> str:
        """Put nothing between."""
        return "".join(words)

    def before_value(self, kind: AnswerKind) -> Sequence[str]:
        """Return what callers say before a value."""
        return _BEFORE_VALUE.get(kind, ())

    def may_be_in_dictionary(self, word: str) -> bool:
        """Chinese characters only."""
        return re.fullmatch(r"[\u4e00-\u9fff]", word) is not None

    def parse_digits(self, words: Sequence[str]) -> str | None:
        """Return the digits that these words are, or None."""
        return zh_values.parse_digits(words)

    def parse_number(self, words: Sequence[str]) -> int | None:
        """Return the number that these words are, or None."""
        return zh_values.parse_number(words)

    def parse_day(self, words: Sequence[str], today: date) -> date | None:
        """Return the day that these words are, or None."""
        return zh_values.parse_day(words, today)

    def say_digits(self, digits: str) -> str:
        """Write '1 2 3': read one by one in Mandarin too."""
        return " ".join(digits)

    def say_number(self, number: int) -> str:
        """Write 一百零五."""
        return zh_values.say_number(number)

    def say_day(self, day: date, today: date) -> str:
        """Write 明天, 星期四 or 三月五号，星期四."""
        return zh_values.say_day(day, today)

    def say_date(self, day: date) -> str:
        """Write 三月五号，星期四."""
        return zh_values.say_date(day)

    def say_weekday(self, weekday: int) -> str:
        """Write 星期四."""
        return zh_values.WEEKDAYS[weekday]

    def digits_wording(self, shortest: int, longest: int) -> Wording:
        """Return how digits are said."""
        return zh_values.digits_wording(shortest, longest)

    def number_wording(self, highest: int) -> Wording:
        """Return how numbers are said."""
        return zh_values.number_wording(highest)

    def day_wording(self) -> Wording:
        """Return how days are said."""
        return zh_values.DAY_WORDING
