"""The senders of docs/clients do what their pages say: taken from there, run as commands, against a real bridge."""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import re
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Final, NamedTuple

import pytest
import yaml

from tests.bridge.process import BridgeProcess
from tests.ports import free_port
from tests.stack.programs import find

pytestmark = pytest.mark.stack

PAGES: Final = Path(__file__).resolve().parents[2] / "docs/clients"
PATH: Final = "/api/v1/samples"
LONGEST_SECONDS: Final = 120.0
"""How long a client may take on a busy machine before a test fails."""
HELD_SECONDS: Final = 20.0
"""How long the double holds a request that it does not answer: longer than the clients wait."""
LAST_SUCCESS: Final = "cron_task_last_success_timestamp_seconds"
GOOD: Final = {"name": "clients_test_value", "value": 21.5}
BAD: Final = {"name": "not-a-name", "value": 1}


class Client(NamedTuple):
    """One page: its files, and what starts the first of them."""

    page: str
    files: tuple[str, ...]
    command: tuple[str, ...]
    """Programs from PATH; ``./…`` is a file of the client's folder."""
    build: tuple[str, ...] = ()
    reads_file: bool = False
    """Whether the samples are in a file that is named, not on standard input."""


CLIENTS: Final = {
    client.page: client
    for client in (
        Client("curl", ("push.sh",), ("sh", "push.sh", "samples.json"), reads_file=True),
        Client("bash", ("push.sh", "cron-report.sh"), ("bash", "push.sh")),
        Client("python", ("push.py",), (sys.executable, "push.py")),
        Client("javascript", ("push.mjs", "push-cli.mjs"), ("node", "push-cli.mjs")),
        Client("go", ("push.go",), ("./push",), build=("go", "build", "push.go")),
    )
}


class Ended(NamedTuple):
    """How a client ended."""

    status: int
    said: str
    """On standard error."""


def code_of(page: str, file: str) -> str:
    """The block of *page* that says, in one of its first two lines, that it is *file*."""
    blocks = re.findall(r"^```\w+\n(.*?)^```$", (PAGES / f"{page}.md").read_text(), re.MULTILINE | re.DOTALL)
    found = [
        block
        for block in blocks
        if any(re.match(rf'(#|//|""") ?{re.escape(file)}: ', line) for line in block.splitlines()[:2])
    ]
    assert len(found) == 1, f"{page}.md has {len(found)} blocks that say they are {file}"
    return str(found[0])


class Sender:
    """A client that is ready to run, in a folder of its own."""

    def __init__(self, client: Client, folder: Path) -> None:
        self.client = client
        self.folder = folder

    def start(self, url: str, items: object, **settings: str) -> subprocess.Popen[str]:
        """Begin to push *items* to *url*."""
        body = json.dumps(items)
        samples = self.folder / f"samples-{time.monotonic_ns()}.json"
        samples.write_text(body)
        command = [samples.name if part == "samples.json" else part for part in self.client.command]
        with samples.open() as given:
            return subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL if self.client.reads_file else given,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.PIPE,
                text=True,
                cwd=self.folder,
                env=environment(PUSH_URL=url, **settings),
            )

    def run(self, url: str, items: object, **settings: str) -> Ended:
        return ended(self.start(url, items, **settings))


def environment(**settings: str) -> dict[str, str]:
    """What a client sees: nothing of this machine's proxies or of its user's settings. It gives up soon."""
    return {"PATH": os.environ["PATH"], "HOME": "/nonexistent", "PUSH_SECONDS": "5", **settings}


def ended(process: subprocess.Popen[str]) -> Ended:
    try:
        _, said = process.communicate(timeout=LONGEST_SECONDS)
    finally:
        if process.poll() is None:
            process.kill()
            process.wait()
    return Ended(process.returncode, said)


class Try(NamedTuple):
    """A request that came to the double."""

    key: str | None
    token: str | None
    body: bytes


class Double:
    """Stands before the bridge at *port*. ``/SCENARIO/CLIENT`` are told apart, each with a script for its tries.

    A step is a status to answer with, ``lose`` (pass it on, and hang up without an answer), ``hold`` (no answer) or
    ``pass``; after the last step all pass. If the bridge cannot be reached it hangs up.
    """

    def __init__(self, port: int, scripts: Mapping[str, Sequence[int | str]], retry_after: str = "1") -> None:
        self.port = port
        self.scripts = dict(scripts)
        self.retry_after = retry_after
        self.tries: dict[str, list[Try]] = {}
        self.closing = threading.Event()
        self._came = threading.Condition()

    def __enter__(self) -> Double:
        double = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                double.serve(self)

            def log_message(self, format: str, *arguments: object) -> None:  # noqa: A002 - the name is http.server's
                """Say nothing."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.05})
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.closing.set()
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    def url(self, scenario: str, client: str) -> str:
        return f"http://127.0.0.1:{self._server.server_port}/{scenario}/{client}"

    def wait_for_tries(self, scenario: str, clients: Sequence[str], number: int) -> None:
        """Until each of *clients* has tried so often."""
        paths = [f"/{scenario}/{client}" for client in clients]
        with self._came:
            assert self._came.wait_for(
                lambda: all(len(self.tries.get(path, ())) >= number for path in paths), LONGEST_SECONDS
            ), {path: len(self.tries.get(path, ())) for path in paths}

    def serve(self, request: BaseHTTPRequestHandler) -> None:
        headers = request.headers
        body = request.rfile.read(int(headers["Content-Length"]))
        passed = {
            name: headers[name]
            for name in ("Content-Type", "Idempotency-Key", "Authorization")
            if name in headers
        }
        script = self.scripts[request.path.split("/")[1]]
        with self._came:
            tries = self.tries.setdefault(request.path, [])
            step = script[len(tries)] if len(tries) < len(script) else "pass"
        status, answer = 0, b""
        if isinstance(step, int):
            status, answer = step, b'{"error":"the double says so","reason":"double"}'
        elif step == "hold":
            pass
        else:
            with contextlib.suppress(OSError, http.client.HTTPException):
                status, answer = post(self.port, body, passed)
        with self._came:
            tries.append(Try(headers["Idempotency-Key"], headers["Authorization"], body))
            self._came.notify_all()
        if step == "hold":
            self.closing.wait(HELD_SECONDS)
        if step in {"hold", "lose"} or not status:
            request.close_connection = True
            return
        request.send_response(status)
        if status in {429, 503}:
            request.send_header("Retry-After", self.retry_after)
        if status == 307:
            request.send_header("Location", self.url("redirected", "anyone"))
        request.send_header("Content-Length", str(len(answer)))
        request.end_headers()
        request.wfile.write(answer)


def post(port: int, body: bytes, headers: Mapping[str, str]) -> tuple[int, bytes]:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    try:
        connection.request("POST", PATH, body, dict(headers))
        answer = connection.getresponse()
        return answer.status, answer.read()
    finally:
        connection.close()


def item_of(scenario: str, client: str, **fields: object) -> dict[str, object]:
    """A good item, of a source that only this client in this scenario is."""
    return {**GOOD, "labels": {"job": scenario, "instance": client}, **fields}


def reports_of(bridge: BridgeProcess, scenario: str) -> dict[str, float]:
    """How many pushes of each client in *scenario* the bridge has counted, over all its starts."""
    pattern = re.compile(
        rf'telemetry_reports_total\{{(?=.*job="{scenario}")(?=.*instance="(?P<client>\w+)").*\}}'
    )
    return {
        found["client"]: value
        for series, value in bridge.series().items()
        if (found := pattern.fullmatch(series))
    }


@pytest.fixture(scope="module")
def senders(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Sender]:
    """Those whose programs are here."""
    found: dict[str, Sender] = {}
    for client in CLIENTS.values():
        program = (client.build or client.command)[0]
        if shutil.which(program) is None:
            continue
        folder = tmp_path_factory.mktemp(client.page)
        for file in client.files:
            (folder / file).write_text(code_of(client.page, file))
        if client.build:
            subprocess.run(client.build, check=True, cwd=folder)
        found[client.page] = Sender(client, folder)
    return found


@pytest.fixture(params=CLIENTS)
def name(request: pytest.FixtureRequest, senders: dict[str, Sender]) -> str:
    """Of each client; skipped where its program is missing."""
    name = str(request.param)
    if name not in senders:
        client = CLIENTS[name]
        pytest.skip(f"{(client.build or client.command)[0]} is not on PATH")
    return name


@pytest.fixture
def sender(name: str, senders: dict[str, Sender]) -> Sender:
    return senders[name]


@pytest.fixture(scope="module")
def bridge(tmp_path_factory: pytest.TempPathFactory) -> Iterator[BridgeProcess]:
    with BridgeProcess(tmp_path_factory.mktemp("bridge") / "journal") as bridge:
        yield bridge


@pytest.fixture(scope="module")
def token(bridge: BridgeProcess) -> str:
    return bridge.create_token("--right=push")


# One try


def test_accepted_value_is_on_metrics(bridge: BridgeProcess, name: str, sender: Sender) -> None:
    items = [item_of("accepted", name), item_of("accepted", name, name="clients_test_total", type="counter")]

    assert sender.run(f"http://127.0.0.1:{bridge.port}{PATH}", items) == Ended(0, "")

    series = bridge.series()
    assert series[f'clients_test_value{{job="accepted",instance="{name}"}}'] == 21.5
    assert series[f'clients_test_total{{job="accepted",instance="{name}"}}'] == 21.5


@pytest.mark.parametrize("source", ["environment", "file"])
def test_token_goes_with_the_push(
    bridge: BridgeProcess, token: str, name: str, sender: Sender, source: str, tmp_path: Path
) -> None:
    file = tmp_path / "push.token"
    file.write_text(f"{token}\n")
    settings = {"PUSH_TOKEN": token} if source == "environment" else {"PUSH_TOKEN_FILE": str(file)}
    with Double(bridge.port, {"token": ()}) as double:
        assert sender.run(double.url("token", name), [item_of("token", name)], **settings) == Ended(0, "")

    assert [one.token for one in double.tries[f"/token/{name}"]] == [f"Bearer {token}"]


def test_wrong_token_is_told_and_not_sent_again(bridge: BridgeProcess, name: str, sender: Sender) -> None:
    with Double(bridge.port, {"token": ()}) as double:
        end = sender.run(double.url("token", name), [item_of("token", name)], PUSH_TOKEN="0" * 64)

    assert end.status == 1
    assert "401" in end.said
    assert "wrong_token" in end.said
    assert len(double.tries[f"/token/{name}"]) == 1


def test_refused_push_is_told_and_not_sent_again(bridge: BridgeProcess, name: str, sender: Sender) -> None:
    with Double(bridge.port, {"refused": ()}) as double:
        end = sender.run(double.url("refused", name), [BAD])

    assert end.status == 1
    assert "400" in end.said
    assert "bad_name" in end.said
    assert len(double.tries[f"/refused/{name}"]) == 1


@pytest.mark.parametrize("status", [404, 413, 422])
def test_other_refusals_are_not_sent_again_either(
    bridge: BridgeProcess, name: str, sender: Sender, status: int
) -> None:
    with Double(bridge.port, {"refused": (status,)}) as double:
        end = sender.run(double.url("refused", name), [item_of("refused", name)])

    assert end.status == 1
    assert str(status) in end.said
    assert len(double.tries[f"/refused/{name}"]) == 1


def test_redirect_is_not_followed(bridge: BridgeProcess, name: str, sender: Sender, token: str) -> None:
    with Double(bridge.port, {"moved": (307,), "redirected": ()}) as double:
        end = sender.run(double.url("moved", name), [item_of("moved", name)], PUSH_TOKEN=token)

    assert end.status == 1
    assert "307" in end.said
    assert double.tries.keys() == {f"/moved/{name}"}


def test_refused_item_is_named_and_the_others_are_stored(
    bridge: BridgeProcess, name: str, sender: Sender
) -> None:
    end = sender.run(f"http://127.0.0.1:{bridge.port}{PATH}", [item_of("partly", name), BAD])

    assert end.status == 1
    assert "bad_name" in end.said
    assert re.search(r'item 1\b|"index":1\b', end.said)
    assert bridge.series()[f'clients_test_value{{job="partly",instance="{name}"}}'] == 21.5


def test_without_a_bridge_it_ends_with_status_75(name: str, sender: Sender) -> None:
    end = sender.run(f"http://127.0.0.1:{free_port()}{PATH}", [GOOD], PUSH_SECONDS="1")

    assert end.status == 75
    assert end.said


def test_a_wait_that_is_too_long_is_not_begun(bridge: BridgeProcess, name: str, sender: Sender) -> None:
    """So Retry-After is what counts: by its own waits it would have tried again several times."""
    with Double(bridge.port, {"busy": (429,)}, retry_after="3600") as double:
        end = sender.run(double.url("busy", name), [item_of("busy", name)], PUSH_SECONDS="60")

    assert end.status == 75
    assert "429" in end.said
    assert len(double.tries[f"/busy/{name}"]) == 1


# Several tries. All clients wait at the same time, as each spends most of it asleep.


class Outcome(NamedTuple):
    """What came of a scenario in which all clients pushed."""

    ends: dict[str, Ended]
    tries: dict[str, list[Try]]
    reports: dict[str, float]


SCENARIOS: Final[Mapping[str, Sequence[int | str]]] = {
    "busy": (503, 503),
    "limited": (429,),
    "held": ("hold",),
    "lost": ("lose",),
}
KILLED: Final = "killed"
"""The bridge stores the push, the answer is lost, and the bridge is killed and started again between the tries."""


@pytest.fixture(scope="module")
def outcomes(
    bridge: BridgeProcess, senders: dict[str, Sender], tmp_path_factory: pytest.TempPathFactory
) -> dict[str, Outcome]:
    """Of all SCENARIOS and of KILLED."""
    with (
        BridgeProcess(tmp_path_factory.mktemp(KILLED) / "journal") as mortal,
        Double(bridge.port, SCENARIOS) as double,
        ThreadPoolExecutor(1 + len(SCENARIOS) * len(senders)) as pool,
    ):
        runs = {
            (scenario, name): pool.submit(push_in, scenario, name, sender, double)
            for scenario in SCENARIOS
            for name, sender in senders.items()
        }
        killed = pool.submit(kill_between_tries, mortal, senders)
        ends = {run: future.result() for run, future in runs.items()}
        found = {
            scenario: Outcome(
                {name: ends[scenario, name] for name in senders},
                {name: double.tries[f"/{scenario}/{name}"] for name in senders},
                reports_of(bridge, scenario),
            )
            for scenario in SCENARIOS
        }
        return {**found, KILLED: killed.result()}


def push_in(scenario: str, name: str, sender: Sender, double: Double) -> Ended:
    return sender.run(double.url(scenario, name), [item_of(scenario, name)], PUSH_SECONDS="100")


def kill_between_tries(bridge: BridgeProcess, senders: Mapping[str, Sender]) -> Outcome:
    """What came of KILLED. Each sender tries at least once while *bridge* is down."""
    names = list(senders)
    with Double(bridge.port, {KILLED: ("lose",) * 100}) as double, ThreadPoolExecutor(len(senders)) as pool:
        runs = {name: pool.submit(push_in, KILLED, name, sender, double) for name, sender in senders.items()}
        double.wait_for_tries(KILLED, names, 1)
        stored = reports_of(bridge, KILLED)
        bridge.kill()
        double.scripts[KILLED] = ()
        tried = max(len(double.tries[f"/{KILLED}/{name}"]) for name in names)
        double.wait_for_tries(KILLED, names, tried + 1)
        bridge.start()
        ends = {name: run.result() for name, run in runs.items()}
        assert stored.keys() == set(names), "all were stored before the kill"
        return Outcome(
            ends, {name: double.tries[f"/{KILLED}/{name}"] for name in names}, reports_of(bridge, KILLED)
        )


@pytest.mark.parametrize("scenario", [*SCENARIOS, KILLED])
def test_push_that_needs_several_tries_counts_once(
    outcomes: dict[str, Outcome], name: str, scenario: str
) -> None:
    outcome = outcomes[scenario]
    tries = outcome.tries[name]

    assert outcome.ends[name].status == 0
    if scenario == KILLED:
        assert len(tries) >= 3
    else:
        assert len(tries) == len(SCENARIOS[scenario]) + 1
    assert len(set(tries)) == 1, "key and body of all tries are the same"
    assert tries[0].key
    assert outcome.reports[name] == 1


def test_each_push_has_a_key_of_its_own(outcomes: dict[str, Outcome], name: str) -> None:
    keys = {outcome.tries[name][0].key for outcome in outcomes.values()}

    assert len(keys) == len(outcomes)


# What else the pages show


def test_function_for_bash_takes_an_item_on_each_line(
    bridge: BridgeProcess, senders: dict[str, Sender]
) -> None:
    script = """
    . ./push.sh
    for zone in 1 2; do
      printf '{"name":"zone_value","value":%d,"labels":{"job":"lines","instance":"","zone":"%d"}}\\n' $zone $zone
    done | push
    """
    url = f"http://127.0.0.1:{bridge.port}{PATH}"
    subprocess.run(
        ["bash", "-euo", "pipefail", "-c", script],
        check=True,
        cwd=senders["bash"].folder,
        env=environment(PUSH_URL=url),
    )

    series = bridge.series()
    assert [series[f'zone_value{{job="lines",instance="",zone="{zone}"}}'] for zone in (1, 2)] == [1, 2]


def test_function_for_python_returns_what_was_refused(
    bridge: BridgeProcess, senders: dict[str, Sender]
) -> None:
    program = f"from push import push; print([one['reason'] for one in push([{GOOD!r}, {BAD!r}])])"
    run = subprocess.run(
        [sys.executable, "-c", program],
        check=True,
        capture_output=True,
        text=True,
        cwd=senders["python"].folder,
        env=environment(PUSH_URL=f"http://127.0.0.1:{bridge.port}{PATH}"),
    )

    assert run.stdout == "['bad_name']\n"


def report(bridge: BridgeProcess, folder: Path, task: str, *command: str) -> tuple[int, dict[str, float]]:
    """Run *command* by cron-report.sh; its status, and what is then on /metrics of *task*."""
    run = subprocess.run(
        ["bash", "cron-report.sh", task, *command],
        check=False,
        cwd=folder,
        env=environment(PUSH_URL=f"http://127.0.0.1:{bridge.port}{PATH}"),
    )
    series = {
        name.partition("{")[0]: value
        for name, value in bridge.series().items()
        if f'task="{task}"' in name and 'job="cron"' in name
    }
    return run.returncode, series


def test_cron_job_reports_its_success_and_a_failure_leaves_that_time(
    bridge: BridgeProcess, senders: dict[str, Sender]
) -> None:
    folder = senders["bash"].folder
    start = int(time.time())
    status, succeeded = report(bridge, folder, "nightly", "true")

    assert status == 0
    assert succeeded.keys() == {"cron_task_duration_seconds", "cron_task_exit_code", LAST_SUCCESS}
    assert succeeded["cron_task_exit_code"] == 0
    assert start <= succeeded[LAST_SUCCESS] <= time.time()

    status, failed = report(bridge, folder, "nightly", "sh", "-c", "exit 3")

    assert status == 3
    assert failed["cron_task_exit_code"] == 3
    assert failed[LAST_SUCCESS] == succeeded[LAST_SUCCESS]


def test_cron_job_that_never_succeeded_reports_no_success(
    bridge: BridgeProcess, senders: dict[str, Sender]
) -> None:
    status, series = report(bridge, senders["bash"].folder, "broken", "false")

    assert status == 1
    assert series.keys() == {"cron_task_duration_seconds", "cron_task_exit_code"}


def test_alerts_about_cron_fire_when_they_should(tmp_path: Path) -> None:
    (tmp_path / "cron.yml").write_text(code_of("bash", "cron.yml"))
    labels = {"job": "cron", "instance": "web-1", "task": "backup"}
    series = f'{LAST_SUCCESS}{{job="cron",instance="web-1",task="backup"}}'

    def alerts(alert: str, hours: int, *fired: Mapping[str, object]) -> Mapping[str, object]:
        return {"eval_time": f"{hours}h", "alertname": alert, "exp_alerts": list(fired)}

    overdue = {
        "exp_labels": {"severity": "warning", **labels},
        "exp_annotations": {
            "summary": "backup on web-1 is overdue",
            "description": "The last success was 1d 3h 0m 0s ago; it runs every day.",
        },
    }
    unknown = {
        "exp_labels": {"severity": "warning", "task": "backup"},
        "exp_annotations": {
            "summary": "backup has never succeeded",
            "description": "No success of backup was ever reported, or it was deleted.",
        },
    }
    tests = {
        "rule_files": ["cron.yml"],
        "evaluation_interval": "1m",
        "tests": [
            {
                "interval": "1m",
                "input_series": [{"series": series, "values": "0x2000"}],
                "alert_rule_test": [
                    alerts("CronTaskOverdue", 25),
                    alerts("CronTaskOverdue", 27, overdue),
                    alerts("CronTaskUnknown", 27),
                ],
            },
            {
                "interval": "1m",
                "input_series": [{"series": "up", "values": "1x200"}],
                "alert_rule_test": [alerts("CronTaskUnknown", 2, unknown), alerts("CronTaskOverdue", 2)],
            },
        ],
    }
    (tmp_path / "test.yml").write_text(yaml.safe_dump(tests))
    subprocess.run([find("promtool"), "test", "rules", tmp_path / "test.yml"], check=True)


def test_every_client_has_its_row_and_every_link_leads_somewhere() -> None:
    index = (PAGES / "README.md").read_text()

    assert re.findall(r"^\| \[\w+\]\((\w+)\.md\)", index, re.MULTILINE) == list(CLIENTS)
    assert {file.stem for file in PAGES.glob("*.md")} == {"README", *CLIENTS}
    for file in PAGES.glob("*.md"):
        targets = re.findall(r"\]\(([^):#]+)(?:#[\w-]+)?\)", file.read_text())
        assert [target for target in targets if not (PAGES / target).is_file()] == []
