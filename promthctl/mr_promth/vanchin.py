"""VanchinAI, the provider of the Mr.Promth app's fourteen agents: each has an endpoint id and a key of its own.

Plain data, which promthctl.keys.providers makes a Provider of; the fields are described there. The endpoint id is sent
as the model. The keys stand in VANCHIN_API_KEY_n and VANCHIN_ENDPOINT_n, n from 1 to AGENTS, or in a file.
"""

from __future__ import annotations

NAME = "vanchin"
TITLE = "VanchinAI"
BASE_URL = "https://vanchin.streamlake.ai/api/gateway/v1/endpoints"
VARIABLES = "VANCHIN"
AGENTS = 14
ENDPOINT_PATTERN = r"ep-[a-z0-9]+-\d+"
DEMO_ENDPOINT = "ep-demo-{:02d}"  # formatted with the agent's number
SEED_COMMAND = "promthctl seed vanchin"
