"""The full-screen prompt, built on prompt_toolkit."""
