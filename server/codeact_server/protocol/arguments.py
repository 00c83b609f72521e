"""What `execute_code` takes: its schema for clients, and the arguments as they come. Pure."""

from collections.abc import Mapping
from typing import Annotated, Any

from pydantic import BaseModel, Field, ValidationError, model_validator

from codeact_bridges.limits import Limits


class Arguments(BaseModel, extra="forbid", frozen=True, strict=True):
    """A program to run, or a run to come back to."""

    code: str | None = None
    timeout_s: Annotated[float, Field(gt=0, allow_inf_nan=False)] | None = None
    session: Annotated[str, Field(min_length=1, max_length=100)] | None = None
    reset: bool = False
    run: Annotated[str, Field(min_length=1, max_length=100)] | None = None
    cancel: bool = False

    @model_validator(mode="after")
    def _one_of_two(self) -> "Arguments":
        if self.run is None and self.cancel:
            raise ValueError("'cancel' needs the 'run' to cancel")
        if self.run is None and self.code is None:
            raise ValueError("'code' is missing")
        if self.run is not None and self.code is not None:
            raise ValueError("'code' begins a run and 'run' comes back to one: give one of them")
        if self.session is None and self.reset:
            raise ValueError("'reset' needs the 'session' to begin anew")
        if self.run is not None and (self.session is not None or self.timeout_s is not None):
            raise ValueError("'session' and 'timeout_s' go with 'code'")
        return self


def input_schema(limits: Limits) -> dict[str, Any]:
    """The JSON schema that clients see."""
    most = f"default {limits.deadline_s:g}, at most {limits.max_deadline_s:g}"
    return {
        "type": "object",
        "properties": {
            "code": {"type": "string", "description": "The Python program."},
            # None is taken too; a schema with two types is refused by some model providers.
            "timeout_s": {
                "type": "number",
                "exclusiveMinimum": 0,
                "description": f"Seconds it may take ({most}).",
            },
            "session": {
                "type": "string",
                "maxLength": 100,
                "description": "Keep variables and imports for later programs, under the name that the result gives.",
            },
            "reset": {"type": "boolean", "description": "Begin the session anew."},
            "run": {"type": "string", "description": "Instead of code: wait on for the run with this handle."},
            "cancel": {"type": "boolean", "description": "With run: stop it."},
        },
        "additionalProperties": False,
    }


_MUST_BE = {
    "code": "a string",
    "timeout_s": "a number of seconds over 0",
    "session": "a string of 1 to 100 characters",
    "reset": "true or false",
    "run": "a handle as an earlier answer gave it",
    "cancel": "true or false",
}


def parse(tool: str, arguments: Mapping[str, Any]) -> Arguments:
    """The tool's arguments.

    Raises:
        ValueError: with a sentence that names what is missing, unknown or of the wrong type.
    """
    try:
        return Arguments.model_validate({name: value for name, value in arguments.items() if value is not None})
    except ValidationError as exc:
        said = [_said(error) for error in exc.errors(include_url=False, include_input=False)]
        if "code" not in arguments and "run" not in arguments and "'code' is missing" not in said:
            said.insert(0, "'code' is missing")
        raise ValueError(f"{tool}: {'; '.join(said)}") from exc


def _said(error: Mapping[str, Any]) -> str:
    name = ".".join(str(part) for part in error["loc"])
    match error["type"]:
        case "extra_forbidden":
            return f"{name[:100]!r} is not an argument (there are {', '.join(_MUST_BE)})"
        case "value_error":
            return str(error["ctx"]["error"])
        case _:
            return f"{name!r} must be {_MUST_BE.get(name, 'something else')}"
