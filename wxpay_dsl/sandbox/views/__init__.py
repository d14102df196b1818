"""Records as the service writes them, in answers and in notifications."""
