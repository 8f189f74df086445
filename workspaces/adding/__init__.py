"""Adding a workspace step by step: connect to a host, find or make a repository there, propose commands.

Nothing is saved before the form is sent, except host keys that the user trusts, and hosts that have answered.
"""
