"""``python -m linkage.cli`` is the command ``linkage``."""

import sys

from linkage.cli import main

sys.exit(main())
