"""The pages: ask the collector's API, show its answer. `streamlit run dashboard`."""
