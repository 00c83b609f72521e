"""The four languages in which clients speak to a model: what a request shows it, and how it answers. Pure.

Anthropic Messages, OpenAI Responses, OpenAI Chat Completions, and Gemini's generateContent; each streamed or whole, as
the client wants it.
"""

import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar, Protocol, TypeAlias

Body: TypeAlias = Mapping[str, Any]

LAST_WORD = "That was all."
"""What the model says when nothing is left to call."""


@dataclass(frozen=True, slots=True)
class ShownTool:
    """A tool as its definition is shown to the model."""

    name: str
    description: str
    definition: Body
    namespace: str | None = None
    """What Codex calls the server of a tool."""


@dataclass(frozen=True, slots=True)
class ShownResult:
    """A tool's result as it is shown to the model."""

    tool: str
    texts: tuple[str, ...]
    images: tuple[str, ...]
    """MIME types."""

    @property
    def text(self) -> str:
        """All texts; plain where a client passes them on as JSON."""
        return re.sub(r"\\([\"\\n])", lambda found: found[1].replace("n", "\n"), "\n".join(self.texts))


@dataclass(frozen=True, slots=True)
class View:
    """All that one request shows the model of tools."""

    tools: tuple[ShownTool, ...]
    results: tuple[ShownResult, ...]


@dataclass(frozen=True, slots=True)
class Call:
    """A tool call that the model makes."""

    tool: str
    arguments: Mapping[str, Any]
    id: str
    namespace: str | None = None


@dataclass(frozen=True, slots=True)
class Answer:
    """The body of an HTTP response."""

    body: str
    media_type: str = "application/json"

    @classmethod
    def whole(cls, value: Body) -> "Answer":
        return cls(json.dumps(value))

    @classmethod
    def streamed(cls, events: Iterable[Body], *, named: bool = True, end: str = "") -> "Answer":
        """`named`: each event says its type in a line of its own."""
        lines = ((f"event: {event['type']}\n" if named else "") + f"data: {json.dumps(event)}\n\n" for event in events)
        return cls("".join(lines) + end, "text/event-stream")


class Dialect(Protocol):
    """One of the languages. The instances have no state."""

    def is_request(self, path: str) -> bool:
        """Whether what is sent to this path is a request to the model."""
        ...

    def view(self, body: Body) -> View: ...

    def answer(self, path: str, body: Body, call: Call | None) -> Answer:
        """The model's answer: the call, or `LAST_WORD`."""
        ...


def _content(content: Sequence[Any] | str | None) -> tuple[list[str], list[str]]:
    """Texts, and MIME types of images, of a content that is a string or a list of parts."""
    if isinstance(content, str):
        return [content], []
    texts: list[str] = []
    images: list[str] = []
    for part in _objects(content):
        match part.get("type"):
            case "text" | "input_text" | "output_text":
                texts.append(str(part.get("text", "")))
            case "image" | "input_image" | "image_url":
                images.append(_mime_type(part))
            case _:
                texts.append(json.dumps(part))
    return texts, images


def _mime_type(part: Body) -> str:
    found = re.search(r"image/[a-z+]+", json.dumps(part))
    return found[0] if found else "?"


def _objects(value: Sequence[Any] | str | None) -> Iterator[Body]:
    """The objects in a list; none in a text."""
    for item in value or ():
        if isinstance(item, dict):
            yield item


@dataclass
class _Results:
    """Collects results, whose tools only the calls name."""

    tools: dict[str, str] = field(default_factory=dict[str, str])
    found: list[ShownResult] = field(default_factory=list[ShownResult])

    def add(self, call_id: object, content: Sequence[Any] | str | None) -> None:
        texts, images = _content(content)
        self.found.append(ShownResult(self.tools.get(str(call_id), ""), tuple(texts), tuple(images)))

    def add_images(self, images: Sequence[str]) -> None:
        """Images that stand after the result that they belong to."""
        if self.found:
            last = self.found[-1]
            self.found[-1] = ShownResult(last.tool, last.texts, (*last.images, *images))


class AnthropicMessages:
    """What Claude Code speaks."""

    def is_request(self, path: str) -> bool:
        return path.endswith("/messages")

    def view(self, body: Body) -> View:
        tools = [ShownTool(tool["name"], tool.get("description", ""), tool) for tool in _objects(body.get("tools"))]
        results = _Results()
        for message in _objects(body.get("messages")):
            for part in _objects(message.get("content")):
                if part.get("type") == "tool_use":
                    results.tools[part["id"]] = part["name"]
                elif part.get("type") == "tool_result":
                    results.add(part["tool_use_id"], part.get("content"))
        return View(tuple(tools), tuple(results.found))

    def answer(self, path: str, body: Body, call: Call | None) -> Answer:
        if call:
            begun: Body = {"type": "tool_use", "id": f"toolu_{call.id}", "name": call.tool, "input": {}}
            whole: Body = {**begun, "input": call.arguments}
            delta: Body = {"type": "input_json_delta", "partial_json": json.dumps(call.arguments)}
        else:
            begun = {"type": "text", "text": ""}
            whole = {"type": "text", "text": LAST_WORD}
            delta = {"type": "text_delta", "text": LAST_WORD}
        reason = "tool_use" if call else "end_turn"
        usage = {"input_tokens": 1, "output_tokens": 1}
        message = {"id": "msg_1", "type": "message", "role": "assistant", "model": body.get("model"), "usage": usage}
        if not body.get("stream"):
            return Answer.whole({**message, "content": [whole], "stop_reason": reason, "stop_sequence": None})
        empty: Body = {**message, "content": [], "stop_reason": None, "stop_sequence": None}
        return Answer.streamed(
            [
                {"type": "message_start", "message": empty},
                {"type": "content_block_start", "index": 0, "content_block": begun},
                {"type": "content_block_delta", "index": 0, "delta": delta},
                {"type": "content_block_stop", "index": 0},
                {"type": "message_delta", "delta": {"stop_reason": reason, "stop_sequence": None}, "usage": usage},
                {"type": "message_stop"},
            ]
        )


class OpenAiResponses:
    """What Codex CLI speaks. The tools of a server stand in a namespace of its name."""

    def is_request(self, path: str) -> bool:
        return path.endswith("/responses")

    def view(self, body: Body) -> View:
        tools: list[ShownTool] = []
        for tool in _objects(body.get("tools")):
            inner = list(_objects(tool.get("tools"))) if tool.get("type") == "namespace" else [tool]
            space = tool.get("name") if tool.get("type") == "namespace" else None
            tools += [ShownTool(each.get("name", ""), each.get("description", ""), each, space) for each in inner]
        results = _Results()
        for item in _objects(body.get("input")):
            if item.get("type") == "function_call":
                results.tools[item["call_id"]] = item["name"]
            elif item.get("type") == "function_call_output":
                results.add(item["call_id"], item.get("output"))
        return View(tuple(tools), tuple(results.found))

    def answer(self, path: str, body: Body, call: Call | None) -> Answer:
        item: dict[str, Any]
        if call:
            item = {"type": "function_call", "id": f"fc_{call.id}", "call_id": f"call_{call.id}", "name": call.tool}
            item |= {"arguments": json.dumps(call.arguments), "status": "completed"}
            item |= {"namespace": call.namespace} if call.namespace else {}
        else:
            text: Body = {"type": "output_text", "text": LAST_WORD, "annotations": []}
            item = {"type": "message", "id": "m1", "role": "assistant", "status": "completed", "content": [text]}
        usage: dict[str, Any] = {"input_tokens": 1, "output_tokens": 1, "total_tokens": 2}
        usage |= {"input_tokens_details": {"cached_tokens": 0}, "output_tokens_details": {"reasoning_tokens": 0}}
        response: Body = {"id": "r1", "object": "response", "created_at": 1, "model": "m", "tools": [], "usage": usage}
        whole = {
            **response,
            "status": "completed",
            "output": [item],
            "tool_choice": "auto",
            "parallel_tool_calls": True,
        }
        if not body.get("stream"):
            return Answer.whole(whole)
        return Answer.streamed(
            [
                {"type": "response.created", "response": {**whole, "status": "in_progress", "output": []}},
                {"type": "response.output_item.added", "output_index": 0, "item": item},
                {"type": "response.output_item.done", "output_index": 0, "item": item},
                {"type": "response.completed", "response": whole},
            ]
        )


class ChatCompletions:
    """What most others speak."""

    PASSES_ON: ClassVar = "tool_call"
    """Qwen Code's tool that calls another one, of which the model was only told the name."""

    def is_request(self, path: str) -> bool:
        return path.endswith("/chat/completions")

    def view(self, body: Body) -> View:
        functions = [tool["function"] for tool in _objects(body.get("tools")) if "function" in tool]
        tools = [ShownTool(each["name"], each.get("description", ""), each) for each in functions]
        results = _Results()
        for message in _objects(body.get("messages")):
            for call in _objects(message.get("tool_calls")):
                results.tools[call["id"]] = self._called(call["function"])
            if message.get("role") == "tool":
                results.add(message.get("tool_call_id"), message.get("content"))
            elif message.get("role") == "user":
                results.add_images(_content(message.get("content"))[1])
        return View(tuple(tools), tuple(results.found))

    def answer(self, path: str, body: Body, call: Call | None) -> Answer:
        message: dict[str, Any] = {"role": "assistant", "content": None if call else LAST_WORD}
        if call:
            function = {"name": call.tool, "arguments": json.dumps(call.arguments)}
            message["tool_calls"] = [{"index": 0, "id": f"call_{call.id}", "type": "function", "function": function}]
        reason = "tool_calls" if call else "stop"
        usage = {"prompt_tokens": 1, "completion_tokens": 1, "total_tokens": 2}
        base: Body = {"id": "c1", "created": 1, "model": body.get("model", "m")}
        if not body.get("stream"):
            choice = {"index": 0, "message": message, "finish_reason": reason}
            return Answer.whole({**base, "object": "chat.completion", "choices": [choice], "usage": usage})
        chunk = {**base, "object": "chat.completion.chunk"}
        return Answer.streamed(
            [
                {**chunk, "choices": [{"index": 0, "delta": message, "finish_reason": None}]},
                {**chunk, "choices": [{"index": 0, "delta": {}, "finish_reason": reason}], "usage": usage},
            ],
            named=False,
            end="data: [DONE]\n\n",
        )

    def _called(self, function: Body) -> str:
        name = str(function["name"])
        if name != self.PASSES_ON:
            return name
        try:
            return str(json.loads(function["arguments"]).get("name", name))
        except ValueError:
            return name


class GeminiGenerateContent:
    """What Gemini CLI speaks."""

    def is_request(self, path: str) -> bool:
        return "generatecontent" in path.lower()

    def view(self, body: Body) -> View:
        functions = [
            each for tool in _objects(body.get("tools")) for each in _objects(tool.get("functionDeclarations"))
        ]
        tools = [ShownTool(each["name"], each.get("description", ""), each) for each in functions]
        results = _Results()
        for content in _objects(body.get("contents")):
            for part in _objects(content.get("parts")):
                if "functionResponse" in part:
                    results.found.append(self._result(part["functionResponse"]))
                elif "inlineData" in part:
                    results.add_images([_mime_type(part)])
        return View(tuple(tools), tuple(results.found))

    def answer(self, path: str, body: Body, call: Call | None) -> Answer:
        part = {"functionCall": {"name": call.tool, "args": call.arguments}} if call else {"text": LAST_WORD}
        candidate = {"content": {"role": "model", "parts": [part]}, "finishReason": "STOP", "index": 0}
        usage = {"promptTokenCount": 1, "candidatesTokenCount": 1, "totalTokenCount": 2}
        answer = {"candidates": [candidate], "usageMetadata": usage, "modelVersion": "m"}
        return Answer.streamed([answer], named=False) if "stream" in path.lower() else Answer.whole(answer)

    def _result(self, given: Body) -> ShownResult:
        response: Body = given.get("response") or {}
        texts = [value for value in response.values() if isinstance(value, str)]
        if len(texts) < len(response):
            texts = [json.dumps(response, ensure_ascii=False)]
        images = [_mime_type(inner) for inner in _objects(given.get("parts")) if "inlineData" in inner]
        return ShownResult(str(given.get("name", "")), tuple(texts), tuple(images))


DIALECTS: tuple[Dialect, ...] = (AnthropicMessages(), OpenAiResponses(), ChatCompletions(), GeminiGenerateContent())


def dialect_of(path: str) -> Dialect | None:
    """The dialect of a request to the model; None for others, as for lists of models."""
    return next((dialect for dialect in DIALECTS if dialect.is_request(path)), None)
