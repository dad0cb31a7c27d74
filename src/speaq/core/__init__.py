"""What every room uses: errors in two languages, entry points, files, seeds, devices, runs."""
