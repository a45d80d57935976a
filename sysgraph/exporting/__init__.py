"""From a finished run to a folder that runs, loads and is served without it."""
