"""Where the files that come with Parley lie: call scripts, dialplans, PBX configurations.

In a checkout they are the folders at its top, in an installation `share/parley/` beside the interpreter.
"""

from __future__ import annotations

import sysconfig
from pathlib import Path

CHECKOUT = Path(__file__).resolve().parents[2]


def shipped(folder: str) -> Path:
    """Return the folder `flows`, `dialplans` or `asterisk_conf` as shipped.

    Raises FileNotFoundError when the installation is incomplete.
    """
    for root in (CHECKOUT, Path(sysconfig.get_path("data")) / "share" / "parley"):
        if (root / folder).is_dir():
            return root / folder
    raise FileNotFoundError(f"{folder}/ came neither with a checkout nor under share/parley: install Parley again")
