"""What every paper uses: benches, claims, figures, folders, pages."""
