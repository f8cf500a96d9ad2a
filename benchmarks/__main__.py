"""All benchmarks, one after the other, and then one table of their figures: ``python -m benchmarks [--quick]``."""

from __future__ import annotations

import importlib
import sys

from benchmarks.goals import table

ALL = ("listing", "audit", "explorer", "revoking", "fleet")


def main() -> None:
    """Run each as it would run alone, with the same options."""
    for name in ALL:
        print(f"\n== {name} ==", flush=True)
        importlib.import_module(f"benchmarks.{name}").main()
    print(f"\n== all of them ==\n{table()}")


if __name__ == "__main__":
    sys.exit(main())
