"""The arguments that `execute_code` accepts, and the error sentences for those it refuses."""

from typing import Any

import pytest
from jsonschema import Draft202012Validator

from codeact_bridges.limits import Limits
from codeact_server.protocol.arguments import Arguments, input_schema, parse


@pytest.mark.parametrize(
    "arguments",
    [
        {"code": "1"},
        {"code": "", "timeout_s": 0.5},
        {"code": "1", "timeout_s": None, "session": None, "run": None},
        {"code": "1", "session": "s"},
        {"code": "1", "session": "s", "reset": True},
        {"run": "r-1"},
        {"run": "r-1", "cancel": True},
    ],
)
def test_a_program_or_a_handle_is_accepted(arguments: dict[str, Any]) -> None:
    assert parse("execute_code", arguments) == Arguments(
        **{name: value for name, value in arguments.items() if value is not None}
    )


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ({}, "'code' is missing"),
        ({"cancel": True}, "'cancel' needs the 'run' to cancel"),
        ({"code": "1", "run": "r-1"}, "'code' starts a run and 'run' refers to an earlier one: pass only one of them"),
        ({"code": "1", "cancel": True}, "'cancel' needs the 'run' to cancel"),
        ({"code": "1", "reset": True}, "'reset' needs the 'session' to reset"),
        ({"run": "r-1", "session": "s"}, "'session' and 'timeout_s' can be passed only with 'code'"),
        ({"run": "r-1", "timeout_s": 1.0}, "'session' and 'timeout_s' can be passed only with 'code'"),
        ({"code": 1}, "'code' must be a string"),
        ({"code": "1", "timeout_s": 0}, "'timeout_s' must be a number of seconds over 0"),
        ({"code": "1", "timeout_s": float("inf")}, "'timeout_s' must be a number of seconds over 0"),
        ({"code": "1", "timeout_s": "1"}, "'timeout_s' must be a number of seconds over 0"),
        ({"code": "1", "session": ""}, "'session' must be a string of 1 to 100 characters"),
        ({"code": "1", "session": "s" * 101}, "'session' must be a string of 1 to 100 characters"),
        ({"code": "1", "session": "s", "reset": "yes"}, "'reset' must be true or false"),
        ({"run": 1}, "'run' must be a handle from an earlier result"),
        ({"cod": "1"}, "'cod' is not an argument (the arguments are code, timeout_s, session, reset, run, cancel)"),
    ],
)
def test_the_error_names_the_argument_that_is_wrong(arguments: dict[str, Any], said: str) -> None:
    with pytest.raises(ValueError, match=r"^execute_code: ") as caught:
        parse("execute_code", arguments)

    assert said in str(caught.value)


def test_the_schema_is_valid_and_has_every_accepted_argument() -> None:
    schema = input_schema(Limits())
    Draft202012Validator.check_schema(schema)

    assert set(schema["properties"]) == set(Arguments.model_fields)
    assert schema["additionalProperties"] is False
