//! What programs that cannot be run here send.
