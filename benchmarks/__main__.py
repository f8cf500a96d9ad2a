"""Run all benchmarks, then print one table of their figures: ``python -m benchmarks [--quick]``."""

from __future__ import annotations

import importlib
import sys

from benchmarks.goals import table

ALL = ("commands", "listing", "audit", "explorer", "revoking", "fleet", "usage", "identities")


def main() -> None:
    """Run each benchmark with the same options."""
    for name in ALL:
        print(f"\n== {name} ==", flush=True)
        importlib.import_module(f"benchmarks.{name}").main()
    print(f"\n== summary ==\n{table()}")


if __name__ == "__main__":
    sys.exit(main())
