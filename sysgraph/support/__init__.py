"""What every room needs: files, progress, devices, seeds, errors."""
