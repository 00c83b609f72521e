"""One `tools/call` request: from its arguments to its answer, or to a question, or to a handle to come back with."""

import logging
import secrets
from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Final

import anyio
from mcp import MCPError, types
from mcp.server.context import ServerRequestContext
from mcp.shared.message import ServerMessageMetadata
from pydantic import ValidationError

from codeact_bridges.errors import TooBusy, UnknownRun
from codeact_bridges.runs.handle import PendingQuestion, RunHandle
from codeact_bridges.values import RunResult
from codeact_server.app import App, RunOrder
from codeact_server.protocol.arguments import Arguments
from codeact_server.protocol.client import Client, client_of
from codeact_server.protocol.elicitation import KEY, answer_in, request_for
from codeact_server.protocol.log_messages import LogLevels, LogMessages
from codeact_server.protocol.progress import reported
from codeact_server.protocol.results import call_tool_result, refused, still_running

log = logging.getLogger(__name__)

CallAnswer = types.CallToolResult | types.InputRequiredResult

MAX_QUESTIONS_SENT = 9
"""Clients of 2026-07-28 answer ten rounds of questions (measured), then give up and lose the run: before, they get a
handle, which is a result."""

_RESPONSES: Final[Mapping[str, type[types.InputResponse]]] = {
    "elicitation/create": types.ElicitResult,
    "sampling/createMessage": types.CreateMessageResult,
    "roots/list": types.ListRootsResult,
}

MAX_SESSION_NAME = 60
"""Characters of a session's plain name that stay in one that cannot be guessed."""


async def answer(
    app: App,
    ctx: ServerRequestContext[dict[str, Any]],
    params: types.CallToolRequestParams,
    arguments: Arguments,
    levels: LogLevels,
) -> CallAnswer:
    """Carry out one request. Cancelling it stops its run, unless the client has a handle to come back with."""
    client = client_of(ctx, app.config.answer_after_s)
    try:
        live = _run_of(app, client, params, arguments)
    except (TooBusy, UnknownRun) as exc:
        return refused(str(exc))
    if arguments.cancel:
        live.stop()
    try:
        async with reported(live, ctx, LogMessages(levels.requested(client, ctx))):
            return await _wait(app, ctx, client, live)
    except BaseException:
        if not live.handed_out:
            live.stop()
            app.runs.forget(live)
        raise


def _run_of(app: App, client: Client, params: types.CallToolRequestParams, arguments: Arguments) -> RunHandle:
    """The run that a request is about: begun, or come back to."""
    if params.request_state is not None:
        run_id, _, question = params.request_state.partition("/")
        live = app.runs.find(run_id, client.owner)
        asked = live.asked(question)
        # A retry that brings nothing is asked again.
        if asked is not None and params.input_responses and KEY in params.input_responses:
            asked.answer(answer_in(asked, params.input_responses[KEY]))
        return live
    if arguments.run is not None:
        return app.runs.find(arguments.run, client.owner)
    assert arguments.code is not None
    session = arguments.session
    if session is not None and client.anonymous and not app.knows_session(client.owner, session, shared=True):
        # Nothing tells this client from another, so the name must be one that nobody can guess.
        session = f"{session[:MAX_SESSION_NAME]}.{secrets.token_urlsafe(12)}"
    order = RunOrder(
        owner=client.owner,
        code=arguments.code,
        timeout_s=arguments.timeout_s,
        session=session,
        reset=arguments.reset,
        serves=client.serves,
        remember_grants=not client.anonymous,
    )
    return app.begin(order)


async def _wait(app: App, ctx: ServerRequestContext[dict[str, Any]], client: Client, live: RunHandle) -> CallAnswer:
    """What to answer: the result, a question (2026-07-28), or that it is still running."""
    until = anyio.current_time() + client.answer_after_s
    while True:
        now = anyio.current_time()
        match await live.next(until - now):
            case RunResult() as result:
                app.runs.forget(live)
                return call_tool_result(replace(result, output=live.unread_part(result.output)))
            case PendingQuestion() as asked if client.modern and live.questions_sent < MAX_QUESTIONS_SENT:
                live.questions_sent += 1
                request = request_for(asked, remembers=not client.anonymous)
                return types.InputRequiredResult(input_requests={KEY: request}, request_state=f"{live.id}/{asked.id}")
            case PendingQuestion() as asked if not client.modern and now < until:
                with anyio.CancelScope(deadline=until):
                    await _ask(ctx, asked, remembers=not client.anonymous)
            case _:
                live.handed_out, live.questions_sent = True, 0
                return still_running(live.id, live.read(), live.calls, asks=live.asks)


async def _ask(ctx: ServerRequestContext[dict[str, Any]], asked: PendingQuestion, *, remembers: bool) -> None:
    """Ask a handshake client; until the answer, or until the question is over by itself."""

    async def give_up() -> None:
        await asked.over.wait()
        tasks.cancel_scope.cancel()

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(give_up)
        request = request_for(asked, remembers=remembers)
        response: types.InputResponse | None = None
        try:
            response = await ctx.session.send_request(
                request, _RESPONSES[request.method], metadata=ServerMessageMetadata(related_request_id=ctx.request_id)
            )
        except (MCPError, ValidationError) as exc:
            log.info("a client could not answer %s: %s", request.method, type(exc).__name__)
        asked.answer(answer_in(asked, response))
        tasks.cancel_scope.cancel()
