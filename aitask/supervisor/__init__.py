"""`manage.py up`: runs the app's processes as children, which are restarted and never outlive it."""
