//! The agents of the service desk, with their habits.

/// One agent. Probabilities are in thousandths.
pub(crate) struct Agent {
    pub(crate) id: &'static str,
    pub(crate) first: &'static str,
    pub(crate) last: &'static str,
    pub(crate) languages: &'static [&'static str],
    pub(crate) skills: &'static [&'static str],
    /// The time for typing a line, in percent of the usual time.
    pub(crate) pace: i64,
    /// Probability of the long, friendly phrase.
    pub(crate) polite: u64,
    /// Probability that the issue is resolved at the end.
    pub(crate) resolves: u64,
    /// Added to the ratings, in tenths of a star.
    pub(crate) charm: i64,
    /// Probability that the notes stay empty.
    pub(crate) forgets_notes: u64,
    /// Probability that the agent records an unresolved issue as resolved.
    pub(crate) optimist: u64,
}

const ALL: &[&str] = &["hardware", "network", "accounts", "applications", "billing"];
const DESK: &[&str] = &["hardware", "network", "accounts", "applications"];

#[rustfmt::skip]
pub(crate) const AGENTS: [Agent; 16] = [
    Agent { id: "a-priya", first: "Priya", last: "Raman", languages: &["en"], skills: ALL, pace: 80, polite: 950, resolves: 900, charm: 6, forgets_notes: 30, optimist: 20 },
    Agent { id: "a-marek", first: "Marek", last: "Dvorak", languages: &["en", "de"], skills: DESK, pace: 70, polite: 300, resolves: 870, charm: -3, forgets_notes: 420, optimist: 60 },
    Agent { id: "a-joana", first: "Joana", last: "Ribeiro", languages: &["en", "es", "fr"], skills: ALL, pace: 100, polite: 900, resolves: 820, charm: 4, forgets_notes: 80, optimist: 40 },
    Agent { id: "a-tom", first: "Tom", last: "Whitaker", languages: &["en"], skills: &["hardware", "network"], pace: 160, polite: 700, resolves: 760, charm: 0, forgets_notes: 200, optimist: 80 },
    Agent { id: "a-aylin", first: "Aylin", last: "Yildiz", languages: &["de", "en"], skills: ALL, pace: 90, polite: 900, resolves: 880, charm: 5, forgets_notes: 40, optimist: 30 },
    Agent { id: "a-bernd", first: "Bernd", last: "Krause", languages: &["de"], skills: DESK, pace: 140, polite: 500, resolves: 700, charm: -5, forgets_notes: 500, optimist: 150 },
    Agent { id: "a-lucie", first: "Lucie", last: "Moreau", languages: &["fr", "en"], skills: ALL, pace: 95, polite: 950, resolves: 850, charm: 5, forgets_notes: 60, optimist: 30 },
    Agent { id: "a-karim", first: "Karim", last: "Benali", languages: &["fr"], skills: DESK, pace: 110, polite: 600, resolves: 780, charm: 1, forgets_notes: 250, optimist: 60 },
    Agent { id: "a-sofia", first: "Sofia", last: "Navarro", languages: &["es", "en"], skills: ALL, pace: 85, polite: 920, resolves: 890, charm: 7, forgets_notes: 20, optimist: 20 },
    Agent { id: "a-diego", first: "Diego", last: "Salas", languages: &["es"], skills: DESK, pace: 130, polite: 650, resolves: 720, charm: -1, forgets_notes: 300, optimist: 120 },
    Agent { id: "a-kwame", first: "Kwame", last: "Mensah", languages: &["en"], skills: &["network", "accounts", "applications"], pace: 75, polite: 800, resolves: 930, charm: 6, forgets_notes: 350, optimist: 10 },
    Agent { id: "a-hannah", first: "Hannah", last: "Lindqvist", languages: &["en", "de"], skills: &["billing", "accounts"], pace: 100, polite: 850, resolves: 840, charm: 3, forgets_notes: 70, optimist: 50 },
    Agent { id: "a-oliver", first: "Oliver", last: "Grant", languages: &["en"], skills: DESK, pace: 120, polite: 150, resolves: 680, charm: -8, forgets_notes: 600, optimist: 200 },
    Agent { id: "a-mei", first: "Mei", last: "Tanaka", languages: &["en"], skills: &["applications", "accounts", "hardware"], pace: 90, polite: 880, resolves: 860, charm: 4, forgets_notes: 90, optimist: 30 },
    Agent { id: "a-rashid", first: "Rashid", last: "Haddad", languages: &["en", "fr"], skills: &["billing", "network"], pace: 105, polite: 750, resolves: 800, charm: 2, forgets_notes: 150, optimist: 70 },
    Agent { id: "a-greta", first: "Greta", last: "Vogel", languages: &["de", "en"], skills: &["applications", "billing", "accounts"], pace: 115, polite: 820, resolves: 790, charm: 1, forgets_notes: 110, optimist: 60 },
];
