"""Talking to agents: messages, answers to what they ask, and what calls for a person's attention."""
