"""The life cycle of a run, from the queue to its end.

`services` queues and cancels runs, `dispatch` decides which may start, `jobs` starts them on their hosts by
`launch`, `follower` copies the events of hosts into rows by `reducer`, `endings` ends runs. `control` sends
commands to the runner of a live run. Other packages join through `hooks`; nothing here imports them.
"""
