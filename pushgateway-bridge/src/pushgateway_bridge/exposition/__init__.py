"""Families and samples → what a scrape answers with."""
