"""What an agent may ask of git and of the file system: commands, options, settings, paths."""
