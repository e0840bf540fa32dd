"""`python -m engine_file.lock_probe FILE`: exit code 0 when this process gets the lock, 1 when another one holds it."""

from __future__ import annotations

import sys
from pathlib import Path

from engine_file.locks import LockFile

if __name__ == "__main__":
    file = LockFile(Path(sys.argv[1]))
    got = file.try_lock()
    file.close()
    sys.exit(0 if got else 1)
