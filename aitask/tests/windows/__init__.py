"""The user's day on a Windows laptop: Windows' own Python under Wine, and a Linux server by `ssh cloud`.

`.ci/windows` installs Wine and Python once for each user of a machine (`computer.py`). What Wine lacks is
stood in for outside the app, in `for_windows/`; docs/untried.md says what therefore stays untried.
"""
