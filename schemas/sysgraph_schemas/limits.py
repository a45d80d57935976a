"""How big a graph may be. A file beyond these is refused before it is worked on."""

MAX_BYTES = 1 << 20
"""Bytes of a graph file."""
MAX_DEPTH = 24
"""Lists and mappings inside one another, through aliases too."""
MAX_YAML_NODES = 105_000
"""Scalars, lists and mappings of a file, each counted as often as aliases repeat it."""
MAX_FILES = 100
"""Files that a graph file names, and those name, counted once each."""
MAX_FILE_DEPTH = 10
"""Files that name one another: a part of a part of a part."""
MAX_FILE_BYTES = 4 << 20
"""Bytes of all files that a graph is made of."""
MAX_TEMPLATE = 100_000
"""Characters of one template."""
MAX_TEMPLATE_CODE = 250_000
"""Characters between `{{` and `}}`, or `{%` and `%}`, of all templates that differ."""
MAX_PATTERNS = 20_000
"""Characters of all regular expressions."""
MAX_CASELESS = 1_000
"""Characters of all regular expressions with `(?i)`, whose character ranges are dear to compile."""
MAX_UNROLLED = 20_000
"""Characters of all regular expressions with each part as often as it must repeat."""
MAX_ITEM = 200
"""Characters of one `for_each` item."""
MAX_VARIABLES = 10_000
"""Variables of the program, after `for_each`."""
MAX_EDGES = 50_000
"""Parents times children of all edges as written."""
MAX_LINKS = 500_000
"""Parents of all variables together, after `for_each`."""
MAX_PROMPT_TOTAL = 20_000_000
"""Characters of all variables' templates together, after `for_each`."""
MAX_RENDERED = 4_000_000
"""Characters of one rendered prompt."""
MAX_REPORTED = 100
"""Problems of one kind that are reported."""
MAX_AST_DEPTH = 40
"""Expressions and blocks of a template inside one another."""
MAX_LOOP_DEPTH = 3
"""Loops of a template inside one another."""
MAX_STEPS = 200_000
"""Loop turns of one rendering."""
MAX_WORK = 20_000_000
"""Characters that one rendering may read, copy and make, and nodes of the template it may visit."""
MAX_ARMS = 100
"""`elif` of a template after one another, those of the `if` around included."""
