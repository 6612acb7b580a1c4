"""The pages and the door before them. `streamlit run dashboard` and `choreoscope dashboard` start it."""

from __future__ import annotations

from pathlib import Path

from starlette.middleware import Middleware
from streamlit.starlette import App

from dashboard.doorway import Doorway
from dashboard.guarding import refuse_unsafe

refuse_unsafe()
app = App(Path(__file__).parent / "frame.py", middleware=[Middleware(Doorway)])
