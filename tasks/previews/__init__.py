"""Previews: the running program of a task in the user's browser, at an origin of its own."""
