"""The Twisted protocols by which somebody comes in."""
