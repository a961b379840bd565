"""The commands, by what people do."""
