//! Who may see what: users, API tokens, roles, and the proofs of identity that they show.
