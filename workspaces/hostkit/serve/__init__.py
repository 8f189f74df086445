"""The process behind one connection. It reads requests and writes answers as JSON lines."""
