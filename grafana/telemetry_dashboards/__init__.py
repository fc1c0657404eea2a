"""Grafana dashboards written in Python; ``python -m telemetry_dashboards`` writes their JSON.

One module per dashboard, all of them listed in ``catalogue``. What they share stands in ``promql`` (selectors
and queries), ``panels`` (one function per kind of panel) and ``shell`` (variables, time range, ids).
"""
