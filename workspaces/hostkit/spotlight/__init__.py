"""Spotlight: shows a commit in a checkout by replacing files, and puts everything back exactly.

HEAD and the index are never touched, so they need no restoring. A file that is replaced or removed is not
copied: the file itself is kept in the git folder (`store.py`), and later renamed back, with its time, its
mode and all else. Which files those are is decided before anything changes (`plan.py`) and recorded
(`journal.py`). What was done when the process was killed is seen from what is in the store (`moves.py`).
"""
