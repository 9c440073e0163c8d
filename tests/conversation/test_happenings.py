"""The bounded inbox."""

import pytest

from parley.call_control import HangupCause
from parley.conversation.happenings import BlockHeard, HungUp, Inbox


async def test_happenings_come_out_in_their_order() -> None:
    inbox = Inbox()
    inbox.post(BlockHeard(1))
    inbox.post(BlockHeard(2))
    assert [await inbox.next(), await inbox.next()] == [BlockHeard(1), BlockHeard(2)]


async def test_full_inbox_drops_the_oldest_so_that_a_hang_up_always_gets_in(caplog: pytest.LogCaptureFixture) -> None:
    inbox = Inbox(size=2)
    inbox.post(BlockHeard(1))
    inbox.post(BlockHeard(2))
    inbox.post(HungUp(HangupCause.NORMAL_CLEARING))
    assert inbox.dropped == 1
    assert [await inbox.next(), await inbox.next()] == [BlockHeard(2), HungUp(HangupCause.NORMAL_CLEARING)]
    assert "not keeping up" in caplog.text
