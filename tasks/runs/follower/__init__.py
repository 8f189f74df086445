"""Copies what the hosts report into the database, once and in order, and repairs what was left undone.

`watch` speaks with one host, `store` saves, `repairs` finds what a lost nudge or a dead process left, and
`follower` keeps one watch per host that this process has leased.
"""
