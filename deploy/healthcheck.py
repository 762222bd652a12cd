#!/usr/bin/env python3
"""Exits with 0 if the given address answers 200 within two seconds. The image has no curl."""

import http.client
import sys
from urllib.parse import urlsplit

url = urlsplit(sys.argv[1])
# Not urllib, which would use the proxies of the environment.
connection = http.client.HTTPConnection(url.hostname or "", url.port, timeout=2)
try:
    connection.request("GET", url.path)
    answer = connection.getresponse()
except (OSError, http.client.HTTPException) as error:
    sys.exit(str(error))
sys.exit(0 if answer.status == http.HTTPStatus.OK else answer.read(500).decode(errors="replace"))
