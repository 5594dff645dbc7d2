"""Tests of how a conversation is written down."""
