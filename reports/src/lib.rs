//! Reports for managers: statements in SQL, and the plots of their answers.
