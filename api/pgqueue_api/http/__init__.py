"""What every request shares: bounded bodies, preconditions, headers, and uvicorn's protocol."""
