//! The data of ticket events.

use crate::data::issues::{Issue, PRIORITIES};
use crate::json::Object;
use crate::random::Random;

/// The data of a `ticket.opened`.
pub(crate) fn opened(random: &mut Random, issue: &Issue, language: &str) -> Object {
    let titles =
        issue.titles.iter().find(|(known, _)| *known == language).map_or(issue.titles[0].1, |(_, titles)| titles);
    Object::new()
        .text("issue_type", issue.key)
        .text("priority", PRIORITIES[random.weighted(&issue.priorities)])
        .text("status", "open")
        .text("owner", issue.skill)
        .text("title", random.word(titles))
}
