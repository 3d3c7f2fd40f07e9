//! The nearest names to one that does not exist. Pure.

/// How alike two names must be, from 0 to 1.
const ALIKE: f64 = 0.6;
/// How many names are suggested at most.
const SUGGESTED: usize = 2;

/// The names of `known` that are the most alike `wrong`: several only if they are equally alike.
pub(super) fn nearest<'n>(wrong: &str, known: impl IntoIterator<Item = &'n str>) -> Vec<&'n str> {
    let wrong = wrong.to_lowercase();
    let alike = known.into_iter().map(|name| (likeness(&wrong, &name.to_lowercase()), name));
    let mut alike: Vec<(f64, &str)> = alike.filter(|(likeness, _)| *likeness >= ALIKE).collect();
    alike.sort_by(|(one, name), (other, next)| other.total_cmp(one).then(name.cmp(next)));
    alike.dedup_by(|(_, one), (_, other)| one == other);
    let best = alike.first().map_or(0.0, |(likeness, _)| *likeness);
    alike.into_iter().take_while(|(likeness, _)| *likeness >= best).take(SUGGESTED).map(|(_, name)| name).collect()
}

/// How alike two words are. One that is the beginning of the other, or has its letters in another order, is alike.
fn likeness(wrong: &str, name: &str) -> f64 {
    let edits = strsim::normalized_damerau_levenshtein(wrong, name);
    let is_beginning = wrong.len() >= 3 && (name.starts_with(wrong) || wrong.starts_with(name) && name.len() >= 3);
    if is_beginning { edits.max(ALIKE) } else { edits }
}

/// Names as a sentence has them: `"a" or "b"`.
pub(super) fn listed(names: &[impl AsRef<str>]) -> String {
    let quoted: Vec<String> = names.iter().map(|name| format!("\"{}\"", name.as_ref())).collect();
    quoted.join(" or ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_name_is_suggested_and_no_other() {
        let columns = ["agent", "agents", "session", "started_at", "ended_at"];
        assert_eq!(nearest("agnt", columns), ["agent"]);
        assert_eq!(nearest("Sesion", columns), ["session"]);
        assert_eq!(nearest("start", columns), ["started_at"]);
        assert_eq!(nearest("colour", columns), Vec::<&str>::new());
        assert_eq!(nearest("ax", ["bx", "ab", "ay"]), Vec::<&str>::new());
        assert_eq!(nearest("axxx", ["bxxx", "cxxx", "dxxx"]), ["bxxx", "cxxx"]);
        assert_eq!(listed(&["a", "b"]), "\"a\" or \"b\"");
    }
}
