"""Review of finished work: verdicts, comments, and the trains that merge what was accepted."""
