"""The first step of the process: whether a client can be answered before everything else is imported."""

from collections.abc import Mapping, Sequence

from codeact_server.front.opening import Opening, claim, is_pollable
from codeact_server.front.recording import Recording


class Start:
    """How this process was started."""

    def __init__(self, recording: Recording | None, opening: Opening | None) -> None:
        self.recording = recording
        """Where the answers for this command line are recorded; None if they are not."""
        self.opening = opening
        """Answers the client already; None without recorded answers, and for every transport but stdio."""

    @classmethod
    def begin(cls, arguments: Sequence[str], environ: Mapping[str, str]) -> "Start":
        """Begin to answer, if this is `serve` over stdio and its answers are recorded.

        Takes the process's stdin and stdout in that case.
        """
        recording = Recording.of(arguments, environ)
        try:
            answers = recording.read() if recording is not None and is_pollable(0) and is_pollable(1) else None
        except OSError:  # stdin or stdout is closed
            answers = None
        if answers is None:
            return cls(recording, None)
        return cls(recording, Opening(claim(0), claim(1), answers))
