"""An app whose import ends its process."""

import sys

sys.exit("no licence")
