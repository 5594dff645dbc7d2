"""What a configuration file and the environment say, as options of the command line."""
