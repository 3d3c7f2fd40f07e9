//! The printed figures.

/// Prints one figure: its name, value and unit.
pub(crate) fn figure(name: &str, value: impl std::fmt::Display, unit: &str) {
    println!("{name:<52} {value:>14} {unit}");
}
