"""git for the app itself, so that nothing an agent can write decides what runs.

Agents can write into their worktree, and often into the repository's git folder. git would run programs that
are named there: hooks, filters, `core.fsmonitor` and more. Therefore the app's own git never reads the
repository's configuration and hooks. It reads a trusted folder (`trusted.py`), and finds the git folder of a
worktree in the app's own records (`places.py`) instead of in the worktree's `.git` file.
"""
