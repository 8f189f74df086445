"""Turns documents into tasks: by their structure (Split), or by an agent that proposes them (plan runs)."""
