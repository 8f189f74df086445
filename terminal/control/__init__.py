"""tmux control mode: one channel per host that carries every terminal somebody looks at."""
