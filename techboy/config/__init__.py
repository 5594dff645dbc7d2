"""Options, settings, endpoints and the choice of reactor."""
