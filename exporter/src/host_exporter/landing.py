"""The page at ``/``: where to look, and what this exporter shows."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from urllib.parse import quote

_STYLE = """
:root { color-scheme: light dark; --line: #d9dee5; --soft: #5c6773; --card: #ffffff; --page: #f4f6f8;
  --link: #0b62c4; }
@media (prefers-color-scheme: dark) {
  :root { --line: #2d343d; --soft: #97a3b0; --card: #191e24; --page: #101418; --link: #6cb2ff; }
}
* { box-sizing: border-box; }
body { margin: 0; background: var(--page); font: 16px/1.55 system-ui, sans-serif; }
main { max-width: 44rem; margin: 0 auto; padding: 3.5rem 1.25rem; }
h1 { margin: 0; font-size: 1.75rem; letter-spacing: -0.01em; }
h1 + p { margin: 0.25rem 0 2rem; color: var(--soft); }
section { margin-bottom: 1rem; padding: 1.25rem 1.5rem; background: var(--card);
  border: 1px solid var(--line); border-radius: 0.75rem; }
h2 { margin: 0 0 0.5rem; font-size: 0.8rem; font-weight: 600; color: var(--soft); text-transform: uppercase;
  letter-spacing: 0.06em; }
a { color: var(--link); text-decoration: none; }
a:hover, a:focus-visible { text-decoration: underline; }
dl { display: grid; grid-template-columns: max-content 1fr; gap: 0.35rem 1.5rem; margin: 0; }
dt, code { font-family: ui-monospace, monospace; font-size: 0.92em; }
dd { margin: 0; color: var(--soft); }
ul { display: flex; flex-wrap: wrap; gap: 0.5rem; margin: 0.25rem 0 0; padding: 0; list-style: none; }
li a { display: block; padding: 0.15rem 0.7rem; border: 1px solid var(--line); border-radius: 1rem;
  font: 0.9em ui-monospace, monospace; }
@media (max-width: 30rem) { dl { grid-template-columns: 1fr; } dd { margin-bottom: 0.5rem; } }
"""


def landing_page(version: str, telemetry_path: str, collectors: Sequence[str]) -> str:
    """A page without scripts and without anything loaded from elsewhere."""
    metrics = escape(quote(telemetry_path), quote=True)
    chips = "\n".join(
        f'<li><a href="{metrics}?collect[]={quote(name)}">{escape(name)}</a></li>' for name in collectors
    )
    return f"""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Host exporter</title>
<style>{_STYLE}</style>
</head>
<body>
<main>
<h1>Host exporter</h1>
<p>This host's metrics under node_exporter's names. Version {escape(version)}.</p>
<section>
<h2>Where to look</h2>
<dl>
<dt><a href="{metrics}">{escape(telemetry_path)}</a></dt><dd>everything, as Prometheus reads it</dd>
<dt><a href="/-/healthy">/-/healthy</a></dt><dd>the process answers</dd>
<dt><a href="/-/ready">/-/ready</a></dt><dd>it can be scraped</dd>
<dt><a href="/health">/health</a></dt><dd>the same as JSON</dd>
<dt><a href="/system">/system</a></dt><dd>this host as one JSON document</dd>
</dl>
</section>
<section>
<h2>Collectors</h2>
<ul>
{chips}
</ul>
</section>
</main>
</body>
</html>
"""
