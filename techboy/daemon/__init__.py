"""What a service manager and an operator see of a daemon."""
