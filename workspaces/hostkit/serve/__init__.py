"""The long-lived process behind one connection: requests in, answers out, as JSON lines."""
