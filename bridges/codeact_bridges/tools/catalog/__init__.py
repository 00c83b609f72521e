"""What programs may call: names, schemas, signatures, shapes."""
