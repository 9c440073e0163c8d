"""Where the recordings of a call lie."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

from parley.app.settings import Settings
from parley.conversation.record import CallStart


def recording_path(settings: Settings, call: CallStart, part: int = 1) -> Path:
    """Return the path of a recording, in the folder of the day on which the call was offered (UTC).

    part: 1, then one more each time that the call was taken up by another process.
    """
    day = datetime.fromtimestamp(call.started_at, UTC)
    name = call.call_id if part == 1 else f"{call.call_id}.{part}"
    return settings.recordings_dir / f"{day:%Y/%m/%d}" / f"{name}.wav"
