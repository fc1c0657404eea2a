"""Who may do what: tokens, their file, and the sessions of the dashboard page."""
