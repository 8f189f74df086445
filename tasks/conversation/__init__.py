"""Messages to agents, answers to their requests, and notifications."""
