"""Asterisk by ARI: the CallControl adapter and the REST client behind it.

The application's wiring uses AriCallControl; the doctor uses AriRest.
"""

from ari_app.call_control import AriCallControl, EventCounts
from ari_app.errors import AriNotLoaded, AriRefused
from ari_app.rest import AriRest

__all__ = ["AriCallControl", "AriNotLoaded", "AriRefused", "AriRest", "EventCounts"]
