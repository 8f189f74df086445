"""The program that the app copies to each host. It needs Python 3.8 and the standard library, not Django.

`serve` answers the app's requests over standard input and output, `run` controls one run of a CLI inside
tmux, `shell` opens a shell in a worktree.
"""
