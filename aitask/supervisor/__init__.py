"""`manage.py up`: the processes of the app as children that are restarted, and never outlive their parent."""
