"""The weekly report about installations: from PromQL to a mail."""
