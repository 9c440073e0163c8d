"""Asterisk's manager interface (AMI): what ARI does not tell, for instance who took a caller out of a queue.

The wiring makes one AmiClient per Asterisk; it stands on panoramisk, whose FastAGI server is not used anywhere.
"""

from ari_app.ami.client import AmiClient
from ari_app.ami.messages import AmiEvent

__all__ = ["AmiClient", "AmiEvent"]
