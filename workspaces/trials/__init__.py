"""Trial turns: a CLI that has changed on a host answers one tiny request before the queue goes on.

`services` looks at programs before runs start, and has the verbs of users; `jobs` tries a turn, in a worker;
`verdicts` says what its result means; `queries` reads rows.
"""
