"""The picker: services chosen one by one, with a preview of what they would be."""
