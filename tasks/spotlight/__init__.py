"""Spotlight: show a task's change in the checkout of its workspace, and go back."""
