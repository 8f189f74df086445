"""What runs on the host of a workspace: standard library only, Python 3.8 or newer, nothing of Django.

`serve` answers requests of the web side over standard input and output, `run` owns one run of a CLI inside
tmux, `shell` leaves a person a shell in a worktree.
"""
