"""NOT Grafana: checks what the compose file gives to Grafana, and answers on its port.

Package registries have no Grafana. This runs in its place, as its user, and ends with a message if a mount, a
variable or a right is not as Grafana needs it. That the real one starts so is not shown by it.
"""

from __future__ import annotations

import json
import os
import ssl
import sys
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path


def complaints() -> list[str]:
    """What Grafana would miss."""
    dashboards = Path(os.environ.get("GRAFANA_DASHBOARDS_DIR", "/missing"))
    files = sorted(dashboards.glob("*.json"))
    missing = [
        str(path)
        for path in (
            Path("/etc/grafana/grafana.ini"),
            Path("/etc/grafana/provisioning/datasources/prometheus.yml"),
            Path("/etc/grafana/provisioning/dashboards/telemetry.yml"),
        )
        if not path.is_file()
    ]
    found = [f"missing: {path}" for path in missing]
    found += [] if files else [f"no dashboard in {dashboards}"]
    found += [f"no uid in {path}" for path in files if not json.loads(path.read_text()).get("uid")]
    found += [] if os.environ.get("PROMETHEUS_URL") else ["PROMETHEUS_URL is not set"]
    found += [
        f"cannot be read: {path}"
        for name in ("GF_SERVER_CERT_FILE", "GF_SERVER_CERT_KEY", "GF_SECURITY_ADMIN_PASSWORD__FILE")
        if (path := os.environ.get(name)) and not os.access(path, os.R_OK)
    ]
    found += [] if os.access("/var/lib/grafana", os.W_OK) else ["/var/lib/grafana cannot be written"]
    return found


class Answer(BaseHTTPRequestHandler):
    """Grafana's health path, and nothing else."""

    def do_GET(self) -> None:
        healthy = self.path == "/api/health"
        self.send_response(200 if healthy else 404)
        self.end_headers()
        self.wfile.write(b'{"standIn": true}\n' if healthy else b"a stand-in, not Grafana\n")


if __name__ == "__main__":
    if found := complaints():
        sys.exit("; ".join(found))
    server = HTTPServer(("0.0.0.0", 3000), Answer)
    if os.environ.get("GF_SERVER_PROTOCOL") == "https":
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        context.load_cert_chain(os.environ["GF_SERVER_CERT_FILE"], os.environ["GF_SERVER_CERT_KEY"])
        server.socket = context.wrap_socket(server.socket, server_side=True)
    server.serve_forever()
