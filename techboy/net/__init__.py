"""What the protocols of both sides share."""
