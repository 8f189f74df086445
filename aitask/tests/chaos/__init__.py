"""A storm of faults over an app with real agents: nothing may be lost, doubled or told wrongly.

`python -m aitask.tests.chaos --minutes 2 --seed 7` starts the app, a host behind a real sshd and the real
CLIs with a scripted model, keeps 20 runs going on both hosts, and kills, stops and cuts everything that the
runs should outlive. Afterwards it compares files, events, tokens, processes and states with what must be
true.
"""
