"""A database backend of Django: SQLite, whose connections are kept for the threads that follow.

The web process has a thread for each request, and sockets that need the database for moments. To open an
SQLite database reads its whole schema, which took a tenth of the time of a page. (For PostgreSQL, Django has
a pool of its own; for SQLite it has none.)
"""
