//! Time, as a parameter.
