"""The pictures of the README: screenshots of a sample project on which the real CLIs work."""
