"""``python -m jupyter_remote_gpu.cli``."""

import sys

from . import main

sys.exit(main())
