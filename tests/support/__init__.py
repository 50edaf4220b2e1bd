"""What several tests need: real processes, and ways to harm them from outside."""
