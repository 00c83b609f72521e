"""One `tools/call` request: from its arguments to the run's result, to a question, or to a handle."""

import logging
import secrets
from collections.abc import Mapping
from typing import Any, Final

import anyio
from mcp import MCPError, types
from mcp.server.context import ServerRequestContext
from mcp.shared.message import ServerMessageMetadata
from pydantic import ValidationError

from codeact_bridges.errors import TooBusy, UnknownRun
from codeact_bridges.runs.handle import PendingQuestion, RunHandle, RunOrder
from codeact_bridges.values import RunResult
from codeact_server.app import App
from codeact_server.protocol.arguments import Arguments
from codeact_server.protocol.client import Client, client_of
from codeact_server.protocol.elicitation import KEY, answer_in, request_for
from codeact_server.protocol.log_messages import LogLevels, LogMessages
from codeact_server.protocol.progress import reported
from codeact_server.protocol.results import call_tool_result, refused, still_running

log = logging.getLogger(__name__)

CallAnswer = types.CallToolResult | types.InputRequiredResult

MAX_QUESTIONS_SENT = 9
"""Clients of 2026-07-28 answer ten rounds of questions (measured), then give up and lose the run. Before that they get
a handle, which is a result."""

_RESPONSES: Final[Mapping[str, type[types.InputResponse]]] = {
    "elicitation/create": types.ElicitResult,
    "sampling/createMessage": types.CreateMessageResult,
    "roots/list": types.ListRootsResult,
}

MAX_SESSION_NAME = 60
"""Characters of the client's name for a session that stay in the name that cannot be guessed."""


async def answer(
    app: App,
    ctx: ServerRequestContext[dict[str, Any]],
    params: types.CallToolRequestParams,
    arguments: Arguments,
    levels: LogLevels,
) -> CallAnswer:
    """Answer one request. Cancelling it stops its run, unless the client has the run's handle."""
    client = client_of(ctx, app.config.answer_after_s)
    try:
        handle = _run_of(app, client, params, arguments)
    except (TooBusy, UnknownRun) as exc:
        return refused(str(exc))
    if arguments.cancel:
        handle.stop()
    try:
        async with reported(handle, ctx, LogMessages(levels.requested(client, ctx))):
            return await _wait(app, ctx, client, handle)
    except BaseException:
        if not handle.handed_out:
            app.runs.abandon(handle, "stopped: its client no longer waited for it")
        raise


def _run_of(app: App, client: Client, params: types.CallToolRequestParams, arguments: Arguments) -> RunHandle:
    """Return the run that a request is about: a new one, or the one that it comes back to."""
    if params.request_state is not None:
        run_id, _, question = params.request_state.partition("/")
        handle = app.runs.find(run_id, client.owner)
        pending = handle.pending_question(question)
        # A retry without an answer is asked again.
        if pending is not None and params.input_responses and KEY in params.input_responses:
            _take(pending, params.input_responses[KEY], client)
        return handle
    if arguments.run is not None:
        return app.runs.find(arguments.run, client.owner)
    assert arguments.code is not None
    session = arguments.session
    if session is not None and client.anonymous and not app.service.knows_session(client.owner, session, shared=True):
        # Nothing tells this client from another, so the name must be impossible to guess.
        session = f"{session[:MAX_SESSION_NAME]}.{secrets.token_urlsafe(12)}"
    order = RunOrder(
        owner=client.owner,
        code=arguments.code,
        timeout_s=arguments.timeout_s,
        session=session,
        reset=arguments.reset,
        serves=client.serves,
        remember_grants=not client.anonymous,
        shown_bytes=client.shown_bytes,
    )
    return app.service.begin(order)


async def _wait(app: App, ctx: ServerRequestContext[dict[str, Any]], client: Client, handle: RunHandle) -> CallAnswer:
    """Return the result, a question (2026-07-28), or a handle because the run takes longer."""
    until = anyio.current_time() + client.answer_after_s
    while True:
        now = anyio.current_time()
        match await handle.next(until - now):
            case RunResult() as result:
                app.runs.forget(handle)
                return call_tool_result(result, links=client.reads_links, resumed=handle.handed_out)
            case PendingQuestion() as pending if client.modern and handle.questions_sent < MAX_QUESTIONS_SENT:
                handle.questions_sent += 1
                pending.send()
                questions = {KEY: request_for(pending, remembers=not client.anonymous)}
                return types.InputRequiredResult(input_requests=questions, request_state=f"{handle.id}/{pending.id}")
            case PendingQuestion() as pending if not client.modern and now < until:
                with anyio.CancelScope(deadline=until):
                    await _ask(ctx, client, pending)
            case _:
                handle.handed_out, handle.questions_sent = True, 0
                return still_running(
                    handle.id, handle.read(), handle.calls, asks=handle.is_asking, preparing=handle.is_preparing
                )


async def _ask(ctx: ServerRequestContext[dict[str, Any]], client: Client, pending: PendingQuestion) -> None:
    """Ask a handshake client, until it answers or the question is over."""

    async def give_up() -> None:
        await pending.over.wait()
        tasks.cancel_scope.cancel()

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(give_up)
        request = request_for(pending, remembers=not client.anonymous)
        pending.send()
        response: types.InputResponse | None = None
        try:
            response = await ctx.session.send_request(
                request, _RESPONSES[request.method], metadata=ServerMessageMetadata(related_request_id=ctx.request_id)
            )
        except (MCPError, ValidationError) as exc:
            log.info("a client could not answer %s: %s", request.method, type(exc).__name__)
        _take(pending, response, client)
        tasks.cancel_scope.cancel()


def _take(pending: PendingQuestion, response: types.InputResponse | None, client: Client) -> None:
    """Answer a question with the client's response."""
    after_s = pending.sent_for_s()
    pending.answer(answer_in(pending, response, remembers=not client.anonymous, after_s=after_s))
