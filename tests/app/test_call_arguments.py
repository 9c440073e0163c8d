import pytest

from parley.app.call_arguments import CallArguments, CallArgumentsError, parse_call_arguments


def test_named_agent_language_and_flow_variables_are_told_apart() -> None:
    parsed = parse_call_arguments(["agent=reception", "language=zh", "clinic=North, Ward 2"], ["reception", "sales"])
    assert parsed == CallArguments("reception", "zh", {"clinic": "North, Ward 2"})


def test_the_only_agent_needs_no_name() -> None:
    assert parse_call_arguments([], ["reception"]).agent == "reception"


def test_value_may_hold_an_equals_sign() -> None:
    assert parse_call_arguments(["agent=a", "note=1+1=2"], ["a"]).variables == {"note": "1+1=2"}


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        ([], "no agent named"),
        (["agent=nobody"], "unknown agent 'nobody'"),
        (["reception"], "not name=value"),
        (["Agent=reception"], "not name=value"),
        (["agent=sales", "agent=reception"], "given twice"),
        (["=x"], "not name=value"),
    ],
)
def test_unusable_arguments_say_what_to_write(arguments: list[str], complaint: str) -> None:
    with pytest.raises(CallArgumentsError, match=complaint):
        parse_call_arguments(arguments, ["reception", "sales"])
