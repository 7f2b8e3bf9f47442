"""`python -m eidophone`."""

import sys

from eidophone.cli import main

sys.exit(main())
