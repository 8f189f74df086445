"""The pictures of the README: a sample project, worked on by the real CLIs and photographed in Chromium."""
