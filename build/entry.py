"""What the packaged app starts: the command line; without a command, the window."""

import sys

from stepline.command import main

if __name__ == "__main__":
    sys.exit(main())
