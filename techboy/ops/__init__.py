"""What an operator needs: systemd, reload, log files, the transcript, pages for monitoring."""
