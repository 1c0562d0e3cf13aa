"""How an episode is graded: by what the repository is at its end, never by what the agent says."""
