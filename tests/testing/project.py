"""A project of a user's: a folder with tests, and runs of pytest in it."""

import os
import subprocess
import sys
from pathlib import Path

from pgqueue.testing.servers import Server


class Project:
    """Has the plugin of pgqueue, and of this environment's others only anyio's."""

    def __init__(self, folder: Path, server: Server) -> None:
        self.folder = folder
        self._admin = server.admin

    def write(self, name: str, text: str) -> None:
        (self.folder / name).write_text(text)

    def run(self) -> str:
        """Run pytest with the plugin and nothing else of ours; give what it said."""
        done = subprocess.run(
            [
                *(sys.executable, "-m", "pytest", "-p", "pytest_pgqueue", "-p", "anyio"),
                *("-W", "error", "-p", "no:cacheprovider"),
            ],
            cwd=self.folder,
            env={
                **os.environ,
                "PGQUEUE_TEST_DATABASE_URL": self._admin,
                "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1",
            },
            capture_output=True,
            text=True,
            check=False,
        )
        return done.stdout + done.stderr
