"""What no file of the kernel tells: small system calls, each in a function that tests can do without."""
