"""The life of a run, from the wish to its end.

`services` queues and cancels, `dispatch` decides what may start, `jobs` starts it on its host by `launch`,
`follower` copies what the host reports by way of `reducer` into the rows, `endings` ends it. `control` speaks
with the runner of a live run. Whoever else has a part in this life joins `hooks`: nothing here imports them.
"""
