"""Starts, watches and ends the stack on this machine: what `make up` and its sisters run."""
