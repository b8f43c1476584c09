"""Statistics: intervals, permutation, bootstrap, stability and fidelity. All functions are pure."""
