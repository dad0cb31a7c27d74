"""What a model earns: measured on fresh replies, or predicted from a log before release."""
