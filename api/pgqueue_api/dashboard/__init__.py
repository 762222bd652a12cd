"""The dashboard: pages at /ui, for people, that read the public API at /v1 and nothing else.

What enters: a request for a page or for one of its files. What leaves: an HTML shell, the same for
every page but for its title and its module, and static files under a hash of their content.
Everything on a page is fetched by the browser from /v1, so whatever it shows, curl can show.
"""

from __future__ import annotations

from pgqueue_api.dashboard.routes import ROUTES

__all__ = ["ROUTES"]
