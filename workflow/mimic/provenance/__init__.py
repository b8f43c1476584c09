"""What made a result: fingerprints, specs, the store, the runner. In no fingerprint."""
