"""Parsers of what the kernel and udev say: text in, values out. No file is opened here."""
