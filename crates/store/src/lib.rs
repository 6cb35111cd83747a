//! Versioned records: load, commit, scan, sweep, watch, and the laws every backend keeps.
