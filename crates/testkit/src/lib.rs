//! A clock to move, keys, and the whole platform in one process, for tests.
