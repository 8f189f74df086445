"""Reviews of finished work: diffs, comments and verdicts."""
