"""The entry of our own component, for `componentize-py`: connects `codeact_guest.host` to `../wit/guest.wit`."""

import common_modules  # noqa: F401  # imported while the component is built, so that no run pays for it
import wit_world
from codeact_guest import host, main
from wit_world.imports import host as imported


def _call(operation: str, text: str) -> str:
    answer = imported.call(operation, text)
    if not answer and (refusal := imported.refusal()):
        raise host.Refused(refusal)
    return answer


class WitWorld(wit_world.WitWorld):
    """The world's exports."""

    def warm_up(self) -> None:
        main.warm_up()
        imported.call("", "")  # refused: there is no run yet
        imported.refusal()

    def run(self) -> None:
        main.run_once()


host.connect(_call, imported.print)
main.install()
