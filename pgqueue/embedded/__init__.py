"""A PostgreSQL of our own: a cluster in a directory, and its server as our child process.

Guaranteed: it listens on a Unix socket in a directory closed to others, and on no network. It does
not outlive its owner: `EmbeddedServer.stop` stops it, else the kernel's signal when the owner is
killed (Linux), else the next start over the same directory. No directory but its own has its
permissions changed. A second owner is refused. What was committed survives: fsync is on.

- `account`: which user of the system it runs as.
- `cluster`: the files, and what an earlier run left behind.
- `server`: the running process.
"""

from pgqueue.embedded.cluster import find_binaries
from pgqueue.embedded.server import EmbeddedServer

__all__ = ["EmbeddedServer", "find_binaries"]
