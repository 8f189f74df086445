"""The test lab: real CLIs, SSH servers, databases and browsers on loopback, with scripted models."""
