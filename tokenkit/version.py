"""What this release is called. The package's metadata take it from here: looking it up in them costs milliseconds."""

__version__ = "0.1.0"
