"""``python -m host_exporter``"""

from host_exporter.cli import main

if __name__ == "__main__":
    main()
