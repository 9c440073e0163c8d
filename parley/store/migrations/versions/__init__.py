"""One module per step of the schema, named `revision_<number>_<what>`."""
