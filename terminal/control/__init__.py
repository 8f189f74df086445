"""tmux control mode: one channel per host, which carries all open terminals."""
