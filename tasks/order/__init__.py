"""The order of tasks: predecessors that a task waits for, and the branch that it starts from."""
