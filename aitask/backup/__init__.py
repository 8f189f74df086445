"""Backups of an installation: database, keys and the other files of DATA_DIR, in one file.

`archive` has the format, `database` the copies of both databases, `services` makes, lists and removes
backups, `restore` goes back to one, and `switch` puts its files in place: all of them or none.
"""
