"""The tools that programs may call: names, schemas, signatures, shapes."""
