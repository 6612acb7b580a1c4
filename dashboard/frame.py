"""The frame around the pages: navigation, title, icon. `streamlit_app.py` runs it for each viewer."""

from __future__ import annotations

from pathlib import Path

import streamlit as st

from dashboard import page
from dashboard.guarding import GUARD, has_provider, may_enter

HERE = Path(__file__).parent
ICON = HERE / "static" / "icon.svg"
VIEWS = HERE / "views"

# No icons here: the browser would fetch them from another site to show them on its tab.
# frame.css draws the icons of the menu.
# Each page sets its URL path, which differs from its file name. The default page is served only at "/".
chosen = st.navigation(
    [
        st.Page(VIEWS / "stuck_page.py", title="Stuck", url_path="stuck", default=True),
        st.Page(VIEWS / "flows_page.py", title="Flows", url_path="flows"),
        st.Page(VIEWS / "flow_page.py", title="Flow", url_path="flow", visibility="hidden"),
        st.Page(VIEWS / "choreography_page.py", title="Choreography", url_path="choreography"),
        st.Page(VIEWS / "expectations_page.py", title="Expectations", url_path="expectations"),
    ],
    position="top",
)
st.set_page_config(page_title=f"{chosen.title} \u00b7 Choreoscope", page_icon=str(ICON), layout="wide")
st.logo(str(ICON), size="medium")
st.html(HERE / "drawing" / "frontend" / "frame.css")
if has_provider() and not st.user.is_logged_in:
    st.html("<h1>Choreoscope</h1>")
    st.button("Sign in", type="primary", on_click=st.login)
    st.stop()
if has_provider() and not may_enter(st.user.to_dict()):
    st.html("<h1>Choreoscope</h1>")
    st.text("This account is none of CHOREOSCOPE_USERS.")
    st.button("Sign out", on_click=st.logout)
    st.stop()
if has_provider() or GUARD.wants_token():
    with st.container(key="leave"):  # shown below the page, though a page that stops draws nothing after it
        if has_provider():
            st.button("Sign out", on_click=st.logout, type="tertiary")
        else:
            st.html('<a href="logout" target="_self">Sign out</a>')
if chosen.title != "Flows":  # which has the line itself
    with st.container(key="search"):
        st.text_input(
            "Search",
            key="search_everywhere",
            placeholder="Search flows  ( / )",
            icon=":material/search:",
            label_visibility="collapsed",
        )
page.entered(chosen.title)
chosen.run()
