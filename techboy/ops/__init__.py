"""Operation of a service: systemd, reload, log files, the transcript and the metrics site."""
