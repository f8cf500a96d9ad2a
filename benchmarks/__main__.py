"""All benchmarks that are there, one after the other: ``python -m benchmarks [--quick]``."""

from __future__ import annotations

import importlib
import importlib.util
import sys

ALL = ("listing", "audit", "explorer", "revoking")


def main() -> None:
    """Run each as it would run alone, with the same options."""
    for name in ALL:
        if importlib.util.find_spec(f"benchmarks.{name}"):
            print(f"\n== {name} ==", flush=True)
            importlib.import_module(f"benchmarks.{name}").main()


if __name__ == "__main__":
    sys.exit(main())
