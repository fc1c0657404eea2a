"""How quickly dashboards answer over a month of a hundred hosts."""
