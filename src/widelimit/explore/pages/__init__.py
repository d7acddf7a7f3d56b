"""The pages, a file a phenomenon: what stands there as a `Page` is found by itself."""
