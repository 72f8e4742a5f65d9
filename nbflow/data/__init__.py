"""Name files and, with the schemes to come, bring them where they are needed."""
