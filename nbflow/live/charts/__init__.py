"""The charts of a view, drawn as SVG: the same for the live view, the saved notebook and the report. Pure."""
