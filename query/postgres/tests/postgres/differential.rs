//! Holdfast's answers beside those of a real PostgreSQL: generated statements, and those that people and programs write.

use holdfast_differential::Pair;
use holdfast_testkit::differential::generator::Generator;
use holdfast_testkit::differential::{Options, Report, run, written_statements};
use holdfast_testkit::require;
use std::fmt::Write;

const SEED: u64 = 20_260_510;
const GENERATED: u64 = 5_000;
/// Kinds of differences that are printed.
const PRINTED: usize = 60;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[expect(clippy::print_stderr, reason = "the counts of refusals are for people who read the output of the tests")]
async fn the_answers_are_those_of_postgresql() {
    let pair = require!(Pair::start().await.unwrap());
    let (theirs, ours) = pair.versions().await.unwrap();
    assert_eq!(ours, theirs, "the version that Holdfast tells is that of PostgreSQL here");

    let generator = Generator::new().unwrap();
    let mut statements: Vec<_> = (0..GENERATED).map(|number| generator.statement(SEED, number)).collect();
    statements.extend(written_statements().unwrap());
    let report = run(&pair.sides(), statements, Options::default(), |_| {}).await;
    eprintln!("{}", report.summary());
    assert_eq!(report.silent().count(), 0, "{}", failures(&report));
}

/// The kinds of silent differences, each with its smallest statement.
fn failures(report: &Report) -> String {
    let mut text = String::new();
    let groups = report.groups();
    let silent: Vec<_> = groups.iter().filter(|group| group[0].aspect.is_silent()).collect();
    let _ = writeln!(text, "{} statements differ silently, of {} kinds:", report.silent().count(), silent.len());
    for group in silent.iter().take(PRINTED) {
        let _ = write!(text, "\n{} of {}: {}", group.len(), group[0].kind, group[0]);
    }
    text
}
