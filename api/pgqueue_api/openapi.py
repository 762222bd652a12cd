"""The OpenAPI document."""

DOCUMENT = b"{}"
