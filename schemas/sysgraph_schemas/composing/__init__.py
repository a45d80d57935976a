"""A graph file and the files that it names, put together: `base`, `vars`, prompts, `use`."""
