"""The composition root: every part, made once, in the order in which they need each other."""

from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import platformdirs

from codeact_bridges.files.bridge import FilesBridge
from codeact_bridges.guest.images import STANDARD_LIBRARY
from codeact_bridges.modules.bridge import ModulesBridge
from codeact_bridges.modules.packages import find_packages
from codeact_bridges.modules.standard_library import StandardLibrary
from codeact_bridges.network.bridge import NetworkBridge
from codeact_bridges.runs.guest_host import Bridges
from codeact_bridges.runs.registry import RunRegistry, RunRetention, open_run_registry
from codeact_bridges.runs.service import RunService
from codeact_bridges.runs.sessions import Sessions, open_sessions
from codeact_bridges.sandbox.engine_selection import EngineSettings, open_engine
from codeact_bridges.sandbox.pool import Pool, open_pool
from codeact_bridges.sandbox.preparation import Preparation
from codeact_bridges.tools.bridge import ToolsBridge
from codeact_bridges.tools.credentials.secret_store import SecretStore, open_secret_store
from codeact_bridges.tools.spec import HttpServer
from codeact_server.config.model import Config
from codeact_server.observability.audit_log import AuditLog


@dataclass(slots=True)
class App:
    """What all clients of this process share. Made by `open_app`."""

    config: Config
    tools: ToolsBridge
    pool: Pool
    sessions: Sessions
    runs: RunRegistry
    service: RunService


@asynccontextmanager
async def open_app(config: Config, say: Callable[[str], None]) -> AsyncGenerator[App]:
    """Start everything and wait for nothing: servers connect and sandboxes warm up in the background.

    `say` gets lines for the operator.

    Raises:
        EngineUnavailable: the configured engine cannot run.
        PackageRefused: one of the configured packages cannot be used.
    """
    limits = config.limits
    engine = EngineSettings(
        engine=config.engine,
        memory_mib=limits.memory_mib,
        message_bytes=limits.message_bytes,
        cache=Path(platformdirs.user_cache_path("codeact-mcp", appauthor=False)),
    )
    preparation = Preparation()
    async with (
        ToolsBridge(
            config.servers,
            log_dir=Path(platformdirs.user_log_path("codeact-mcp", appauthor=False)),
            state_dir=Path(platformdirs.user_state_path("codeact-mcp", appauthor=False)),
            secret_store=configured_secret_store(config),
            result_limit_bytes=limits.message_bytes,
            no_servers=config.no_servers,
        ) as tools,
        open_engine(engine, say, preparation) as launch,
        open_pool(launch, config.pool) as pool,
    ):
        modules = ModulesBridge(StandardLibrary(STANDARD_LIBRARY), find_packages(config.packages))
        files = (FilesBridge(config.files, limits.message_bytes),) if config.files else ()
        configured = (*files, NetworkBridge(config.network, limits))
        async with (
            open_sessions(config.sessions, launch, configured) as sessions,
            open_run_registry(RunRetention()) as runs,
        ):
            service = RunService(
                Bridges(tools, modules, configured),
                pool,
                sessions,
                runs,
                limits=limits,
                policy=config.policy,
                recorder=AuditLog(config.audit) if config.audit is not None else None,
                preparation=preparation,
                rules_in=config.rules_in,
            )
            yield App(config, tools, pool, sessions, runs, service)


def configured_secret_store(config: Config) -> SecretStore | None:
    """Return the store of the access tokens to remote servers. None: no server needs a login."""
    if not any(isinstance(server, HttpServer) and server.oauth for server in config.servers):
        return None
    return open_secret_store(Path(platformdirs.user_data_path("codeact-mcp", appauthor=False)) / "access")
