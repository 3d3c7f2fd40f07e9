//! The parts of a regular expression, and which of its possible matches PostgreSQL prefers.

/// A part of a regular expression.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Node {
    /// One character, in the syntax of crate `regex`: a letter or a class.
    One(String),
    /// A place, in the syntax of crate `regex`: the beginning of the text, of a word.
    Place(&'static str),
    Concat(Vec<Node>),
    Alternate(Vec<Node>),
    /// A group, with its number if what it matches is told.
    Group(Option<usize>, Box<Node>),
    Repeat {
        node: Box<Node>,
        min: u32,
        max: Option<u32>,
        /// `{m}` has none of its own.
        preference: Option<Preference>,
    },
}

/// Whether a part prefers the longest or the shortest text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Preference {
    Longest,
    Shortest,
}

impl Node {
    /// In the syntax of crate `regex`. Without `groups`, nothing is captured.
    pub(super) fn write(&self, groups: bool, to: &mut String) {
        match self {
            Self::One(text) => to.push_str(text),
            Self::Place(text) => to.push_str(text),
            Self::Concat(parts) => parts.iter().for_each(|part| part.write(groups, to)),
            Self::Alternate(branches) => {
                to.push_str("(?:");
                for (number, branch) in branches.iter().enumerate() {
                    if number > 0 {
                        to.push('|');
                    }
                    branch.write(groups, to);
                }
                to.push(')');
            }
            Self::Group(number, inner) => {
                to.push_str(if groups && number.is_some() { "(" } else { "(?:" });
                inner.write(groups, to);
                to.push(')');
            }
            Self::Repeat { node, min, max, preference } => {
                to.push_str("(?:");
                node.write(groups, to);
                to.push(')');
                match (min, max) {
                    (0, None) => to.push('*'),
                    (1, None) => to.push('+'),
                    (0, Some(1)) => to.push('?'),
                    (min, None) => to.push_str(&format!("{{{min},}}")),
                    (min, Some(max)) if min == max => to.push_str(&format!("{{{min}}}")),
                    (min, Some(max)) => to.push_str(&format!("{{{min},{max}}}")),
                }
                if *preference == Some(Preference::Shortest) && *max != Some(*min) {
                    to.push('?');
                }
            }
        }
    }

    /// The preference of the first part that has one; alternatives prefer the longest.
    pub(super) fn preference(&self) -> Option<Preference> {
        match self {
            Self::One(_) | Self::Place(_) => None,
            Self::Concat(parts) => parts.iter().find_map(Self::preference),
            Self::Alternate(_) => Some(Preference::Longest),
            Self::Group(_, inner) => inner.preference(),
            Self::Repeat { node, preference, .. } => preference.or_else(|| node.preference()),
        }
    }

    /// Whether parts prefer different lengths.
    pub(super) fn is_mixed(&self) -> bool {
        fn preferences(node: &Node, of: &mut Vec<Preference>) {
            match node {
                Node::One(_) | Node::Place(_) => {}
                Node::Concat(parts) => parts.iter().for_each(|part| preferences(part, of)),
                Node::Alternate(branches) => {
                    of.push(Preference::Longest);
                    branches.iter().for_each(|branch| preferences(branch, of));
                }
                Node::Group(_, inner) => preferences(inner, of),
                Node::Repeat { node, preference, .. } => {
                    of.extend(preference);
                    preferences(node, of);
                }
            }
        }
        let mut of = Vec::new();
        preferences(self, &mut of);
        of.windows(2).any(|two| two[0] != two[1])
    }

    /// Whether what a group inside matches is told.
    pub(super) fn has_groups(&self) -> bool {
        match self {
            Self::One(_) | Self::Place(_) => false,
            Self::Concat(parts) | Self::Alternate(parts) => parts.iter().any(Self::has_groups),
            Self::Group(number, inner) => number.is_some() || inner.has_groups(),
            Self::Repeat { node, .. } => node.has_groups(),
        }
    }

    /// The characters that it matches, if these are always as many.
    fn fixed_length(&self) -> Option<u64> {
        match self {
            Self::One(_) => Some(1),
            Self::Place(_) => Some(0),
            Self::Concat(parts) => parts.iter().try_fold(0_u64, |sum, part| sum.checked_add(part.fixed_length()?)),
            Self::Alternate(branches) => {
                let mut lengths = branches.iter().map(Self::fixed_length);
                let first = lengths.next()??;
                lengths.all(|length| length == Some(first)).then_some(first)
            }
            Self::Group(_, inner) => inner.fixed_length(),
            Self::Repeat { node, min, max, .. } if *max == Some(*min) => {
                node.fixed_length()?.checked_mul(u64::from(*min))
            }
            Self::Repeat { .. } => None,
        }
    }

    /// Whether the first match of a search that tries alternatives in their order is the one that PostgreSQL finds, groups
    /// included: at most one part varies in length, so that the match has one length for each text of this part.
    pub(super) fn is_simple(&self) -> bool {
        self.varying() <= 1
    }

    /// The parts that vary in length. Two stand for many.
    fn varying(&self) -> usize {
        match self {
            Self::One(_) | Self::Place(_) => 0,
            Self::Concat(parts) => parts.iter().map(Self::varying).sum::<usize>().min(2),
            Self::Alternate(branches) => match self.fixed_length() {
                // Of two branches that match the same, the first is taken by both.
                Some(_) => branches.iter().map(Self::varying).sum::<usize>().min(2),
                None => 2,
            },
            Self::Group(_, inner) => inner.varying(),
            Self::Repeat { node, min, max, .. } => match (node.fixed_length(), *max == Some(*min)) {
                (Some(0), _) => 2,
                (Some(_), is_fixed) => node.varying() + usize::from(!is_fixed),
                (None, _) => 2,
            },
        }
    }
}

/// The preference of a whole pattern.
pub(super) fn preference(node: &Node) -> Preference {
    node.preference().unwrap_or(Preference::Longest)
}
