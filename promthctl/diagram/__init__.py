"""Pictures of the tables: `promthctl diagram`.

drawing.py   from migrations or a target to a file
model.py     Diagram: what is drawn of a catalog
grouping.py  which tables belong together, from comments in the migrations
dot.py       a Diagram in Graphviz's language
mermaid.py   a Diagram in Mermaid's
graphviz.py  Graphviz itself, which lays out and draws
page.py      a page to look around in, in one file
"""
