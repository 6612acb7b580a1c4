"""The pages: they ask the collector's API and show its answers. `streamlit run dashboard`."""
