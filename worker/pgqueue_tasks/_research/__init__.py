"""What `research_agent` is made of."""
