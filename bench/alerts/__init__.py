"""How soon people are told, and what evaluating the rules so often costs."""
