"""An app whose import fails."""


def connect() -> None:
    message = "the settings of the shop are not there"
    raise LookupError(message)


connect()
