"""Which models the CLIs on each host offer: asked by the workers, kept in rows, read by forms and the API.

A list belongs to a host, a CLI and the environment that the CLI was asked with: a workspace whose variables
name another account, folder or PATH has lists of its own. `wanting` says that a list is to be asked for,
`asking` asks (in a worker, never for a page), `reading` and `choosing` only read rows.
"""
