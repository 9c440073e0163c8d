"""The demo's stage: a private Asterisk, Parley as its users start it, and the folder where results lie."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

from tests.support.asterisk import Asterisk
from tests.support.parley_process import LogLine, ParleyProcess

ROOT = Path(__file__).resolve().parent.parent
RESULTS = ROOT / "build" / "demo"
LIFE_S = 600
"""Nothing that the demo starts outlives this, whatever happens."""

SETTINGS = """\
data_dir = "data"

[asterisk]
url = "{ari_url}"

[http]
port = {http_port}

[recording]
enabled = true

[log]
json_lines = true
personal_data = true

[agents.reception]
flow = "appointment"
voices = {{ en = "slt" }}
fallback_queue = "support"
"""


@asynccontextmanager
async def stage(folder: Path, on_log: Callable[[LogLine], None]) -> AsyncIterator[tuple[Asterisk, ParleyProcess]]:
    """Start Asterisk and Parley; stop both on leaving."""
    async with Asterisk(life_s=LIFE_S, keep_log_in=folder) as pbx:
        parley = ParleyProcess(pbx, folder, on_log)
        try:
            await parley.start(SETTINGS)
            yield pbx, parley
        finally:
            await parley.stop()
