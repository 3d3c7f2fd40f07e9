//! Generated statements: a short form of the fuzz target `sql`.

use crate::trial::{Ending, Trial};
use holdfast_testkit::choices::Choices;
use holdfast_testkit::sql;
use std::collections::BTreeMap;
use std::time::Duration;

const CASES: u64 = 1_500;
/// Most take milliseconds. The few that are given up are to take little of the suite's time.
const LIMIT: Duration = Duration::from_millis(300);

#[tokio::test]
async fn generated_statements_are_answered_or_refused_and_the_engine_goes_on() {
    let trial = Trial::new(LIMIT).await;
    let mut endings: BTreeMap<Ending, u64> = BTreeMap::new();
    for seed in 0..CASES {
        let ending = trial.execute(&sql::statement(&mut Choices::seeded(seed))).await;
        *endings.entry(ending).or_default() += 1;
    }
    let count = |ending| endings.get(&ending).copied().unwrap_or_default();
    // Otherwise the generator makes one kind only, and the rest is not tried.
    assert!(count(Ending::Answered) > CASES / 20 && count(Ending::Wrong) > CASES / 20, "{endings:?}");
    assert!(count(Ending::Bounded) > 5, "{endings:?}");
}
