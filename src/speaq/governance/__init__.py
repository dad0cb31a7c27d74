"""Rules about people and data, as plain functions that the places which enforce them call."""
