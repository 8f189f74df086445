"""Which models the CLIs on each host offer: asked by the workers, kept in rows, read by forms and the API.

A list belongs to a host, a CLI and the environment that the CLI was asked with: a workspace whose variables
name another account, folder or PATH has lists of its own. `services` requests lists, `jobs` asks the
hosts (in a worker, never for a page), `queries` and `form_choices` only read rows.
"""
