"""Model lists: which models and efforts the CLIs on each host offer.

A list belongs to a host, a CLI and the environment that the CLI ran with: a workspace whose variables name
another account, folder or PATH has its own lists. `services` requests lists, `jobs` asks the hosts (in a
worker, never in a web request), `queries` and `form_choices` only read rows.
"""
