"""`codeact-mcp doctor`: the report, and the exit code for scripts."""

import json
from typing import Any

import pytest
from micro_vm import why_no_micro_vm
from served import Commands, server


def test_a_configuration_that_works_is_reported_with_exit_code_0(commands: Commands) -> None:
    done = commands.run(
        "doctor", "--engine", "wasmtime", "--config", commands.config({"everyday": server("everyday.py", "stdio")})
    )

    report = dict(line.split(maxsplit=1) for line in done.stdout.splitlines() if not line.startswith(" "))
    assert done.returncode == 0, done.stdout + done.stderr
    assert report["engine"] == "wasmtime (configured: wasmtime)"
    assert report["isolation"] == "WebAssembly in a separate process (no hypervisor)"
    assert report["guest"].startswith("Python 3.14")
    assert "wasmtime 50" in report["libraries"]
    assert report["servers"].startswith("everyday: ready, ")
    assert "+ empty environment" in report["hardened"]
    assert report["times"].startswith("worker ready in ")


def test_a_server_that_does_not_start_is_reported_with_its_reason_and_makes_the_exit_code_1(commands: Commands) -> None:
    broken: dict[str, Any] = {"command": "/nonexistent/program", "args": []}
    done = commands.run("doctor", "--engine", "wasmtime", "--config", commands.config({"broken": broken}))

    assert done.returncode == 1
    assert "broken: failed: " in done.stdout
    assert "engine       wasmtime" in done.stdout


@pytest.mark.parametrize("servers", [{}, {"codeact": {"command": "codeact-mcp", "args": ["serve"]}}])
def test_a_file_without_servers_is_reported_and_makes_the_exit_code_1(
    commands: Commands, servers: dict[str, Any]
) -> None:
    file = commands.config(servers)
    done = commands.run("doctor", "--engine", "wasmtime", "--config", file)

    assert done.returncode == 1
    assert f"servers      {file} contains no servers: write them under mcpServers (or servers, " in done.stdout
    assert done.stdout.count("codeact-mcp itself") == len(servers)


def test_without_a_file_it_is_said_how_to_give_servers_and_the_exit_code_is_0(commands: Commands) -> None:
    done = commands.run("doctor", "--engine", "wasmtime")

    assert done.returncode == 0
    assert "servers      no MCP server is configured: use --config FILE, " in done.stdout


def test_a_setting_that_matches_no_tool_is_reported_and_makes_the_exit_code_1(commands: Commands) -> None:
    settings: dict[str, Any] = {
        "mcpServers": {"everyday": server("everyday.py", "stdio")},
        "codeact": {
            "servers": {"everyday": {"tools": {"deny": ["ecoh"]}}},
            "policy": {"rules": [{"tool": "everyday.dad", "action": "deny"}]},
        },
    }
    file = commands.folder / "codeact.json"
    file.write_text(json.dumps(settings))
    done = commands.run("doctor", "--engine", "wasmtime", "--config", str(file))

    assert done.returncode == 1
    assert '- everyday: setting without effect: deny: "ecoh" matches no tool' in done.stdout
    assert (
        '- everyday: setting without effect: policy.rules: "dad" matches no tool (did you mean "add"?)' in done.stdout
    )
    assert "policy       rules: 1; default: allow; if no person can approve: deny" in done.stdout
    assert done.stderr.count("settings without effect") == 1


def test_the_capabilities_of_programs_are_reported_without_secrets_and_an_unwritable_audit_log_makes_the_exit_code_1(
    commands: Commands,
) -> None:
    (commands.folder / "reports").mkdir()
    settings: dict[str, Any] = {
        "files": {"/data": {"path": "reports"}, "/tmp/x": {"mode": "temp"}},
        "network": [{"host": "api.github.com", "headers": {"Authorization": "Bearer hunter2"}}],
        "audit": {"path": "audit.jsonl"},
    }
    servers = {"marker": server("marker.py")}
    works = commands.run("doctor", "--engine", "wasmtime", "--config", commands.config(servers, **settings))

    assert works.returncode == 0, works.stdout + works.stderr
    assert f"files        /data (ro) from {commands.folder / 'reports'}; /tmp/x (temp)\n" in works.stdout
    assert 'hosts        host = "api.github.com", scheme = "https", methods = ["GET", "HEAD"]\n' in works.stdout
    assert f"audit        {commands.folder / 'audit.jsonl'}: hashes instead of values\n" in works.stdout
    assert "hunter2" not in works.stdout + works.stderr

    settings["audit"] = {"path": "nowhere/audit.jsonl"}
    fails = commands.run("doctor", "--engine", "wasmtime", "--config", commands.config(servers, **settings))
    assert fails.returncode == 1
    assert f"audit.jsonl: cannot be written: the folder {commands.folder / 'nowhere'} does not exist\n" in fails.stdout
    assert "engine       wasmtime" in fails.stdout


@pytest.mark.skipif("why_no_micro_vm() is None", reason="micro-VMs start here")
def test_a_configured_hyperlight_that_does_not_work_is_reported_with_its_cause_and_makes_the_exit_code_1(
    commands: Commands,
) -> None:
    done = commands.run("doctor", "--engine", "hyperlight")

    assert done.returncode == 1
    assert "engine       configured: hyperlight; no program can run: engine = 'hyperlight': " in done.stdout


@pytest.mark.skipif("why_no_micro_vm() is None", reason="micro-VMs start here")
@pytest.mark.parametrize("command", [("serve",), ("run", "-"), ("tools",)], ids=lambda command: command[0])
def test_a_configured_hyperlight_that_does_not_work_ends_every_other_command_with_one_line_and_exit_code_2(
    commands: Commands, command: tuple[str, ...]
) -> None:
    done = commands.run(*command, "--engine", "hyperlight")

    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.count("\n") == 1
    assert done.stderr.startswith("codeact-mcp: engine = 'hyperlight': ")


@pytest.mark.skipif("why_no_micro_vm() is None", reason="micro-VMs start here")
def test_auto_without_micro_vms_is_no_failure_but_is_reported(commands: Commands) -> None:
    done = commands.run("doctor")

    assert done.returncode == 0
    assert "engine       wasmtime (configured: auto)" in done.stdout
    assert "NOT in a micro-VM, because " in done.stdout


@pytest.mark.hyperlight
def test_where_micro_vms_start_the_report_names_the_isolation(commands: Commands) -> None:
    done = commands.run("doctor", "--engine", "hyperlight")

    assert done.returncode == 0, done.stdout + done.stderr
    assert "engine       hyperlight (configured: hyperlight)" in done.stdout
    assert "isolation    hardware-isolated micro-VM (Hyperlight, " in done.stdout


__all__ = ["why_no_micro_vm"]
