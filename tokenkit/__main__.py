"""``python -m tokenkit`` is ``tokenkit``."""

import sys

from tokenkit.cli import main

sys.exit(main())
