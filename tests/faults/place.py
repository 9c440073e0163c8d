"""Where the parts of a site run, and the settings that its node has there."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.e2e.site import AGENT_VOICE
from tests.support.namespaces import Namespace, Network

FLOWS = Path(__file__).parent / "flows"

SETTINGS = """\
data_dir = "@DATA@"
flow_folders = ["@FLOWS@"]

[asterisk]
url = "{ari_url}"

[asterisk.ami]
host = "@AMI_HOST@"
port = @AMI_PORT@
username = "parley"

[http]
host = "@HTTP_HOST@"
port = {http_port}

[media]
host = "@MEDIA_HOST@"

[log]
json_lines = true
personal_data = true

[recording]
enabled = true

[agents.numbers]
flow = "numbers"
voices = {{ en = "@VOICE@" }}
fallback_queue = "support"
"""
"""For ParleyProcess.start(), after `settings_for`; a family of cases appends the tables that it is about."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where a site's parts run."""

    data: Path
    """The node's data_dir."""
    disk: Namespace | None = None
    """The mount namespace that has it, where it is no folder of ours."""
    network: Network | None = None
    node_prefix: Sequence[str] = ()
    node_environment: Mapping[str, str] | None = None
    """Further variables of Parley's process."""

    @property
    def http_host(self) -> str:
        """Where the node's health is."""
        return "127.0.0.1" if self.network is None else self.network.links["watch"].node_host

    @property
    def media_host(self) -> str:
        """Where the node's audio is."""
        return "127.0.0.1" if self.network is None else self.network.links["media"].node_host

    @property
    def ari_host(self) -> str:
        """Where Asterisk's ARI is."""
        return "127.0.0.1" if self.network is None else self.network.links["ari"].pbx_host

    @property
    def ami_host(self) -> str:
        """Where Asterisk's AMI is."""
        return "127.0.0.1" if self.network is None else self.network.links["ami"].pbx_host

    def settings(self, ami_port: int, more: str = "") -> str:
        """Return the settings of this place's node.   more: further tables."""
        values = {
            "@DATA@": self.data,
            "@FLOWS@": FLOWS,
            "@AMI_HOST@": self.ami_host,
            "@AMI_PORT@": ami_port,
            "@HTTP_HOST@": self.http_host,
            "@MEDIA_HOST@": self.media_host,
            "@VOICE@": AGENT_VOICE,
        }
        text = SETTINGS + more
        for name, value in values.items():
            text = text.replace(name, str(value))
        return text
