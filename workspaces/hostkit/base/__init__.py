"""What the modules of `agents` build on: nothing here knows one CLI from another."""
