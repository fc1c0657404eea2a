"""``python -m pushgateway_bridge``"""

from pushgateway_bridge.cli import main

main()
