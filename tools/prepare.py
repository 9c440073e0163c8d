"""Make a fresh checkout ready: Python environment, compiler, speech synthesisers, and on request an Asterisk.

    python3 tools/prepare.py                       what the unit tests need
    python3 tools/prepare.py --with asterisk       and a private Asterisk, unpacked, never installed

Runs with the system's Python before anything is installed. A second run does nothing and takes well under a second.
"""

import os
import shutil
import sys

OLDEST_PYTHON = (3, 11)

if sys.version_info < OLDEST_PYTHON:
    found = [name for name in ("python3.13", "python3.12", "python3.11") if shutil.which(name)]
    sys.exit(
        "Parley needs Python 3.11 or later; {} is {}.{}. {}".format(
            sys.executable,
            sys.version_info[0],
            sys.version_info[1],
            f"Run instead: {found[0]} tools/prepare.py" if found else "Install one, for instance python3.11.",
        )
    )

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))

from tools.steps import main  # noqa: E402 - the version had to be checked first

if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
