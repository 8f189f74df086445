"""Copies the events of hosts into the database, once and in order, and repairs what lost jobs left undone.

`watch` follows one host, `store` saves its events, `repairs` enqueues lost jobs again, and `follower` runs
one watch for each host that this process has leased.
"""
