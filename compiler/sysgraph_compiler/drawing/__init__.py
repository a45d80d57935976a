"""Pictures of a program: SVG, PNG, PDF, Mermaid, DOT and HTML from one plain-data drawing."""
