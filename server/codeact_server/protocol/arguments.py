"""The arguments of `execute_code`: the schema for clients, and how a request's arguments are parsed. Pure."""

from collections.abc import Mapping
from typing import Annotated, Any

from pydantic import BaseModel, Field, ValidationError, model_validator

from codeact_bridges.limits import Limits


class Arguments(BaseModel, extra="forbid", frozen=True, strict=True):
    """A program to run (`code`), or an earlier run to wait for or cancel (`run`)."""

    code: str | None = None
    timeout_s: Annotated[float, Field(gt=0, allow_inf_nan=False)] | None = None
    session: Annotated[str, Field(min_length=1, max_length=100)] | None = None
    reset: bool = False
    run: Annotated[str, Field(min_length=1, max_length=100)] | None = None
    cancel: bool = False

    @model_validator(mode="after")
    def _code_or_run(self) -> "Arguments":
        if self.run is None and self.cancel:
            raise ValueError("'cancel' needs the 'run' to cancel")
        if self.run is None and self.code is None:
            raise ValueError("'code' is missing")
        if self.run is not None and self.code is not None:
            raise ValueError("'code' starts a run and 'run' refers to an earlier one: pass only one of them")
        if self.session is None and self.reset:
            raise ValueError("'reset' needs the 'session' to reset")
        if self.run is not None and (self.session is not None or self.timeout_s is not None):
            raise ValueError("'session' and 'timeout_s' can be passed only with 'code'")
        return self


def input_schema(limits: Limits) -> dict[str, Any]:
    """The JSON schema that clients see."""
    limit = f"default {limits.deadline_s:g}, at most {limits.max_deadline_s:g}"
    return {
        "type": "object",
        "properties": {
            "code": {"type": "string", "description": "The Python program."},
            # `null` is accepted too, but some model providers refuse a schema with two types.
            "timeout_s": {
                "type": "number",
                "exclusiveMinimum": 0,
                "description": f"Time limit in seconds ({limit}).",
            },
            "session": {
                "type": "string",
                "maxLength": 100,
                "description": "Keep variables and imports for later programs. Reuse the name that the result gives.",
            },
            "reset": {"type": "boolean", "description": "Start the session again, empty."},
            "run": {"type": "string", "description": "Instead of code: the handle of a run to keep waiting for."},
            "cancel": {"type": "boolean", "description": "With run: stop that run."},
        },
        "additionalProperties": False,
    }


_MUST_BE = {
    "code": "a string",
    "timeout_s": "a number of seconds over 0",
    "session": "a string of 1 to 100 characters",
    "reset": "true or false",
    "run": "a handle from an earlier result",
    "cancel": "true or false",
}


def parse(tool: str, arguments: Mapping[str, Any]) -> Arguments:
    """Parse the arguments of a call to `tool`. A `null` counts as not passed.

    Raises:
        ValueError: its message names the arguments that are missing, unknown or of the wrong type.
    """
    try:
        return Arguments.model_validate({name: value for name, value in arguments.items() if value is not None})
    except ValidationError as exc:
        problems = [_problem(error) for error in exc.errors(include_url=False, include_input=False)]
        if "code" not in arguments and "run" not in arguments and "'code' is missing" not in problems:
            problems.insert(0, "'code' is missing")
        raise ValueError(f"{tool}: {'; '.join(problems)}") from exc


def _problem(error: Mapping[str, Any]) -> str:
    name = ".".join(str(part) for part in error["loc"])
    match error["type"]:
        case "extra_forbidden":
            return f"{name[:100]!r} is not an argument (the arguments are {', '.join(_MUST_BE)})"
        case "value_error":
            return str(error["ctx"]["error"])
        case _:
            return f"{name!r} must be {_MUST_BE.get(name, 'of another type')}"
