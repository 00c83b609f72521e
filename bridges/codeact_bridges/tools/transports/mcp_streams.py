"""The stream types of `mcp` that a transport yields.

`mcp` 2.3 accepts any transport of this shape, exports the protocol `mcp.client.Transport`, and leaves the types of its
streams in a private module. Only this module imports that one: a release that moves it breaks one line.
"""

from mcp.client._transport import ReadStream, TransportStreams, WriteStream

__all__ = ["ReadStream", "TransportStreams", "WriteStream"]
