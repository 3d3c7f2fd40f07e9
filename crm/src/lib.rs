//! The tables of a CRM beside the archive, with what concerns them alone sent there.
