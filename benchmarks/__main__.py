"""`python -m benchmarks ...` is `infobase bench run ...`."""

from __future__ import annotations

import sys

from benchmarks.commands import bench
from infobase.commands import runner

if __name__ == "__main__":
    sys.exit(runner.run(bench, ["run", *sys.argv[1:]]))
