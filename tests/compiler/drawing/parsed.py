"""A program's SVG, parsed."""

import xml.etree.ElementTree as ET

from sysgraph_compiler import Program
from sysgraph_compiler.drawing import render

SVG = "{http://www.w3.org/2000/svg}"  # begins the name of every tag


def svg(source: Program) -> ET.Element:
    return ET.fromstring(render(source, ".svg"))
