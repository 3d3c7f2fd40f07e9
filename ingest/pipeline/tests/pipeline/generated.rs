//! Generated messages without Kafka: a short form of the fuzz target `message`.

use holdfast_testkit::choices::Choices;

use crate::trial::Trial;

/// Cases of some 12 messages each.
const CASES: u64 = 250;

#[test]
fn every_generated_message_is_an_event_or_a_dead_letter() {
    let trial = Trial::new();
    let (mut events, mut dead_letters) = (0, 0);
    for seed in 0..CASES {
        let filed = trial.archive(&mut Choices::seeded(seed));
        events += filed.events;
        dead_letters += filed.dead_letters;
    }
    // Otherwise the generator makes one kind only, and the rest is not tried.
    assert!(events > 2 * CASES && dead_letters > 2 * CASES, "{events} {dead_letters}");
}
