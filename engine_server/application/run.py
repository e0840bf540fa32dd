"""`python -m engine_server.application.run FOLDER`: the server of a data folder, in the foreground."""

from __future__ import annotations

import sys
from pathlib import Path

from engine_server.application.process import run
from infobase.errors import InfobaseError

if __name__ == "__main__":
    try:
        run(Path(sys.argv[1]))
    except InfobaseError as e:
        print(e, file=sys.stderr)
        sys.exit(e.exit_code)
