"""Which environments exist, and the gymnasium ids they get."""
