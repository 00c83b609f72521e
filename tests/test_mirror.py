"""Tests mirror the source: a module in a room has a test file `test_` and its name in the same room of the tests.

The exceptions are listed, each with its reason.
"""

from pathlib import Path

ROOT = Path(__file__).parents[1]
MIRRORED = {
    ROOT / "bridges/codeact_bridges": ROOT / "tests/bridges",
    ROOT / "server/codeact_server": ROOT / "tests/server",
}

NOTHING_TO_TEST = """
    bridge errors files/port files/spec guest/images limits modules/port runs/observer sandbox/port
    sandbox/worker/engine tools/port tools/transports/mcp_streams values
    config/model
"""
"""Ports, errors, limits and values: declarations, which the type checkers hold and everything else uses."""

NOT_TESTED = """
    tools/transports/stdio_windows
"""
"""A known gap: it runs on Windows only."""

TESTED_ELSEWHERE = {
    # A double passes the tests of the part that it stands for.
    "testing": "tests/contract/test_tools_port.py",
    # Run when the package is built: what it makes is in every test of a guest.
    "guest/build": "tests/contract",
    "runs/guest_host": "tests/contract",
    "runs/service": "tests/server/test_run_states.py",
    "app": "tests/server/test_run_states.py",
    # A mount's parts together, on disk and in memory, against one list of expectations.
    "files/access_log": "tests/bridges/files/test_bridge.py",
    "files/changed_files": "tests/bridges/files/test_bridge.py",
    "files/disk_folder": "tests/bridges/files/test_folders.py",
    "files/memory_folder": "tests/bridges/files/test_folders.py",
    "files/encoding": "tests/contract/test_files.py",
    "files/mount_table": "tests/bridges/files/test_operations.py",
    "files/mounts": "tests/server/config/test_folders.py",
    "files/open_files": "tests/bridges/files/test_operations.py",
    "files/path_access": "tests/bridges/files/test_operations.py",
    "files/requests": "tests/contract/test_files_hostile.py",
    "modules/bridge": "tests/contract/test_packages.py",
    "modules/extension_check": "tests/bridges/modules/test_packages.py",
    # Against servers that lie, stall and flood.
    "network/bridge": "tests/contract/test_network.py",
    "network/connections": "tests/security/network",
    "network/exchange": "tests/security/network",
    "network/request": "tests/security/network",
    "network/secret_masking": "tests/security/network/test_echoed_secrets.py",
    # What a worker may still do is seen from inside of one.
    "sandbox/hypervisor": "tests/bridges/sandbox/test_engine_selection.py",
    "sandbox/worker/component_compiler": "tests/bridges/sandbox/test_component_cache.py",
    "sandbox/worker/hyperlight_engine": "tests/hyperlight",
    "sandbox/worker/hyperlight_probe": "tests/bridges/sandbox/test_engine_selection.py",
    "sandbox/worker/landlock": "tests/bridges/sandbox/worker/test_hardening.py",
    "sandbox/worker/main": "tests/bridges/sandbox/test_worker_process.py",
    "sandbox/worker/seccomp": "tests/bridges/sandbox/worker/test_hardening.py",
    "sandbox/worker/wasmtime_engine": "tests/contract",
    "tools/catalog/search": "tests/bridges/tools/catalog/test_catalog.py",
    "tools/downstream/connection": "tests/bridges/tools/downstream/test_server.py",
    "tools/downstream/failure_text": "tests/bridges/tools/downstream/test_hostile_servers.py",
    "tools/downstream/login": "tests/bridges/tools/credentials/test_oauth.py",
    "tools/spec": "tests/server/config/test_server_settings.py",
    "tools/transports/sse": "tests/bridges/tools/transports/test_http.py",
    "tools/transports/streams": "tests/bridges/tools/transports/test_stdio.py",
    "tools/transports/transport": "tests/bridges/tools/downstream/test_server.py",
    # Commands are run as their users run them.
    "cli/demo": "tests/e2e/test_commands.py",
    "cli/login": "tests/e2e/test_commands.py",
    "cli/commands": "tests/e2e/test_commands.py",
    "cli/main": "tests/e2e/test_first_answers.py",
    "cli/run": "tests/e2e/test_commands.py",
    "cli/serve": "tests/e2e",
    "cli/terminal": "tests/e2e/test_commands.py",
    "cli/tools": "tests/e2e/test_commands.py",
    "config/messages": "tests/server/config/test_load.py",
    "observability/audit_record": "tests/server/observability/test_audit_log.py",
}


def modules() -> dict[str, Path]:
    """Each module's test file, whether it exists or not, by the module's path in its package."""
    return {
        path.relative_to(package).with_suffix("").as_posix(): tests
        / path.relative_to(package).with_name(f"test_{path.name}")
        for package, tests in MIRRORED.items()
        for path in sorted(package.rglob("*.py"))
        if not path.stem.startswith("__") and not {"runtime", "built"} & set(path.parts)
    }


MODULES = modules()
EXCEPTIONS = {*NOTHING_TO_TEST.split(), *NOT_TESTED.split(), *TESTED_ELSEWHERE}


def test_every_module_has_a_test_file_of_its_own_name() -> None:
    assert not [name for name, tests in MODULES.items() if not tests.exists() and name not in EXCEPTIONS]


def test_an_exception_is_still_one() -> None:
    assert not [name for name in EXCEPTIONS if name not in MODULES or MODULES[name].exists()]


def test_the_tests_that_hold_the_others_exist() -> None:
    assert not [place for place in TESTED_ELSEWHERE.values() if not (ROOT / place).exists()]
