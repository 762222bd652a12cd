"""A PostgreSQL of our own: a cluster in a directory, and its server as our child process.

Guarantees: it listens on a Unix socket in a directory closed to others, and on no network. It does
not outlive its owner: `EmbeddedServer.stop` stops it, or the kernel's signal when the owner is
killed (Linux), or the next start on the same directory. It changes the permissions of no directory
but its own. A second owner is refused. What was committed survives: fsync is on.

- `account`: the system user that it runs as.
- `cluster`: the files, and what an earlier run left behind.
- `server`: the running process.
"""

from pgqueue.embedded.cluster import find_binaries
from pgqueue.embedded.server import EmbeddedServer

__all__ = ["EmbeddedServer", "find_binaries"]
