"""The test laboratory: real CLIs, sshds, databases and browsers on loopback, scripted and counted."""
