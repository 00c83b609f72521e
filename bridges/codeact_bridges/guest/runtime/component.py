"""The entry of our own component, for `componentize-py`: connects the door to the world in `../wit/guest.wit`."""

import common_modules  # noqa: F401  # imported while the component is made, so that no run pays for it
import wit_world
from codeact_guest import host as door
from codeact_guest import main
from wit_world.imports import host


def _ask(operation: str, text: str) -> str:
    answer = host.ask(operation, text)
    if not answer and (refusal := host.refusal()):
        raise door.Refused(refusal)
    return answer


class WitWorld(wit_world.WitWorld):
    """The world's exports."""

    def warm_up(self) -> None:
        main.warm_up()
        host.ask("", "")  # refused
        host.refusal()

    def run(self) -> None:
        main.run_once()


door.connect(_ask, host.print)
main.install()
