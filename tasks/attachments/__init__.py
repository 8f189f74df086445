"""Files that users give to agents: receiving, keeping and showing them."""
