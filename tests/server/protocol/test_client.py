"""What is known of clients, by the names that they declare."""

import pytest

from codeact_server.protocol.client import KNOWN_CLIENTS, KnownClient, known_client


@pytest.mark.parametrize(
    ("name", "known"),
    [
        ("gemini-cli-mcp-client", KNOWN_CLIENTS["gemini-cli-mcp-client"]),
        ("qwen-cli-mcp-client-codeact", KNOWN_CLIENTS["qwen-cli-mcp-client"]),
        ("opencode", KNOWN_CLIENTS["opencode"]),
        ("opencoder", KnownClient()),
        ("mcp", KnownClient()),
        ("", KnownClient()),
    ],
)
def test_a_client_is_known_by_its_name_with_or_without_the_servers(name: str, known: KnownClient) -> None:
    assert known_client(name) is known or known_client(name) == known


def test_links_go_to_no_client_unless_it_is_known_to_read_them() -> None:
    assert not KnownClient().reads_links
    assert [name for name, client in KNOWN_CLIENTS.items() if client.reads_links] == ["mcp-inspector"]
