"""`codeact-mcp doctor`: report the engine, its isolation, and whether everything that is configured works."""

import json
import os
import platform
import sys
from collections.abc import Iterator
from dataclasses import replace
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import anyio

from codeact_bridges.approval.policy import Policy
from codeact_bridges.errors import BadGuestCall, SandboxError
from codeact_bridges.sandbox.port import EngineInfo, Worker
from codeact_bridges.tools.downstream.health import ServerStatus
from codeact_server.app import App, open_app
from codeact_server.config.model import Config
from codeact_server.observability.audit_log import AuditSettings

LIBRARIES = ("hyperlight-sandbox", "wasmtime", "mcp", "pydantic", "anyio")

WORKER_MIB = {"hyperlight": 80, "wasmtime": 20}
"""Memory of a worker process besides its guest's, measured: the micro-VM's snapshot, or the interpreter."""

MAX_SHOWN = 20
"""Maximum number of packages, folders or hosts on one line."""

PRINT_VERSION = "import sys\nsys.version.partition(' ')[0]"


async def examine(config: Config) -> int:
    """Print the report. Returns the exit code: 0 if everything that is configured works, else 1."""
    said: list[str] = []
    began = anyio.current_time()
    _say(
        "codeact-mcp",
        f"{version('codeact-mcp')}, Python {platform.python_version()}, {sys.platform} {platform.machine()}",
    )
    _say("libraries", ", ".join(_libraries()))
    _report_capabilities(config)
    if not (audit_works := config.audit is None or _report_audit(config.audit)):
        config = replace(config, audit=None)  # report the rest nevertheless
    async with open_app(config, said.append) as app:
        app.tools.start_lazy_servers()
        engine_works = await _examine_engine(app, config, said, began)
        await app.tools.wait_settled()
        servers_work = _report_servers(app)
    return 0 if engine_works and servers_work and audit_works else 1


class _NoHost:
    """A guest host that refuses every call."""

    async def call(self, operation: str, text: str) -> str:
        raise BadGuestCall(f"{operation} is not available here")

    def printed(self, channel: int, text: str) -> None:
        """Discard output."""


async def _examine_engine(app: App, config: Config, said: list[str], began: float) -> bool:
    try:
        async with app.pool.worker() as worker:
            ready = anyio.current_time()
            python = await _python_of(worker)
            first = anyio.current_time()
            await worker.renew()
            fresh = anyio.current_time()
            await _python_of(worker)
            second = anyio.current_time()
            info = worker.info
    except SandboxError as exc:
        _say("engine", f"configured: {config.engine}; no program can run: {exc}")
        return False
    _report_engine(info, config, said, python)
    times = {"worker ready": ready - began, "first program": first - ready, "fresh guest": fresh - first}
    _say(
        "times", *(f"{what} in {_time(seconds)}" for what, seconds in {**times, "next program": second - fresh}.items())
    )
    each = config.limits.memory_mib + WORKER_MIB.get(info.engine, 0)
    _say(
        "memory",
        f"at most {config.pool.max_workers} pooled workers of about {each} MiB: {config.pool.max_workers * each:,} MiB",
    )
    return True


async def _python_of(worker: Worker) -> str:
    outcome = json.loads(await worker.run(json.dumps({"code": PRINT_VERSION}), _NoHost()))
    return str(json.loads(outcome["text"]))


def _report_engine(info: EngineInfo, config: Config, said: list[str], python: str) -> None:
    _say("engine", f"{info.engine} (configured: {config.engine})", *said)
    _say("isolation", info.isolation)
    _say("guest", f"Python {python}")
    _say("hardened", *(f"+ {each}" for each in info.hardened), *(f"- {each}" for each in info.not_hardened))


def _report_servers(app: App) -> bool:
    """Report the servers. Returns whether all work; a file without any does not."""
    statuses = app.tools.statuses()
    if not statuses:
        _say("servers", app.config.no_servers)
        return not app.config.source
    lines = [line for each in statuses for line in (f"{each.name}: {_state(each)}", *_unmatched(each))]
    _say("servers", *lines)
    return all(status.state == "ready" and not status.unmatched for status in statuses)


def _unmatched(status: ServerStatus) -> list[str]:
    return [f"- {status.name}: setting without effect: {setting}" for setting in status.unmatched]


def _report_capabilities(config: Config) -> None:
    """Report packages, folders, hosts and the policy: a line for each that is configured."""
    capabilities = {
        "packages": list(config.packages),
        "files": [f"{mount.rule} from {mount.path}" if mount.path else mount.rule for mount in config.files],
        "hosts": [str(rule) for rule in config.network.rules],
    }
    for label, items in capabilities.items():
        if items:
            more = len(items) - MAX_SHOWN
            _say(label, "; ".join(items[:MAX_SHOWN]) + (f"; and {more} more" if more > 0 else ""))
    policy = config.policy
    if policy != Policy():
        _say(
            "policy",
            f"rules: {len(policy.rules)}; default: {policy.default}; if no person can approve: {policy.unattended}",
        )


def _report_audit(audit: AuditSettings) -> bool:
    """Report the audit log. Returns whether its file can be written."""
    path = Path(audit.path)
    problem = None
    if not path.parent.is_dir():
        problem = f"the folder {path.parent} does not exist"
    elif path.exists() and not path.is_file():
        problem = "it is not a file"
    elif not os.access(path if path.exists() else path.parent, os.W_OK):
        problem = "permission denied"
    shown = "programs, arguments and results in full" if audit.values else "hashes instead of values"
    _say("audit", f"{path}: cannot be written: {problem}" if problem else f"{path}: {shown}")
    return problem is None


def _state(status: ServerStatus) -> str:
    if status.state == "ready":
        return f"ready, {status.tools} tools, protocol {status.protocol or 'unknown'}"
    return f"{status.state}: {status.reason}" if status.reason else status.state


def _libraries() -> Iterator[str]:
    for name in LIBRARIES:
        try:
            yield f"{name} {version(name)}"
        except PackageNotFoundError:
            yield f"{name} not installed"


def _time(seconds: float) -> str:
    return f"{seconds:,.1f} s" if seconds >= 1 else f"{seconds * 1_000:,.1f} ms"


def _say(label: str, *lines: str) -> None:
    for index, line in enumerate(lines):
        sys.stdout.write(f"{'' if index else label:<12} {line}\n")
    sys.stdout.flush()
