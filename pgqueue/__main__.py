"""``python -m pgqueue`` is the ``pgqueue`` command."""

from pgqueue.commands.cli import main

if __name__ == "__main__":
    main()
