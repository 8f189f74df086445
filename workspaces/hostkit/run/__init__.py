"""One run of a CLI inside a tmux window: guard, runner, pane and control socket."""
