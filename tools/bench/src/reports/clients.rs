//! Many who ask at once, over HTTP.

use super::{Places, number};
use crate::figure;
use anyhow::{Context, bail};
use serde_json::Value;
use std::process::Stdio;
use std::time::{Duration, Instant};
use tokio::io::{AsyncBufReadExt, BufReader};

/// Clients at once.
const CLIENTS: usize = 50;
/// Reports that each asks for, one after the other, each client from another place in the list.
const QUESTIONS: usize = 4;
/// Nobody waits longer than the API lets a statement take.
const PATIENCE: Duration = Duration::from_secs(300);

/// Serves the archive in a process of its own and has every client ask for its reports.
pub(super) async fn measure(places: &Places, brokers: &str) -> anyhow::Result<()> {
    let mut server = tokio::process::Command::new(std::env::current_exe()?)
        .args(["serve", "--brokers", brokers, "--folder"])
        .arg(&places.archive)
        .arg("--spill")
        .arg(&places.spill)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .context("start the server")?;
    let mut lines = BufReader::new(server.stdout.take().context("the server has no output")?).lines();
    let address = lines.next_line().await?.context("the server told no address")?;

    let names: Vec<&'static str> = holdfast_reports::all().iter().map(|report| report.name).collect();
    let began = Instant::now();
    let clients = (0..CLIENTS).map(|number| {
        let (address, names) = (address.clone(), names.clone());
        tokio::spawn(async move {
            let client = reqwest::Client::builder().timeout(PATIENCE).build()?;
            let mut answers = Vec::new();
            for question in 0..QUESTIONS {
                let name = names[(number * QUESTIONS + question) % names.len()];
                let began = Instant::now();
                let asked = client
                    .get(format!("http://{address}/v1/reports/{name}?format=ndjson"))
                    .bearer_auth(format!("client-{number}"));
                let problem = whole(asked).await.err().map(|why| format!("{name}: {why}"));
                answers.push((began.elapsed().as_secs_f64(), problem));
            }
            anyhow::Ok(answers)
        })
    });
    let (mut times, mut problems) = (Vec::new(), Vec::new());
    for client in clients.collect::<Vec<_>>() {
        for (time, problem) in client.await?? {
            times.push(time);
            problems.extend(problem);
        }
    }
    let wall = began.elapsed().as_secs_f64();
    drop(server.stdin.take());
    let report = lines.next_line().await?.context("the server made no report")?;
    let report: Value = serde_json::from_str(&report)?;
    server.wait().await?;

    times.sort_by(f64::total_cmp);
    figure("clients at once", CLIENTS, "");
    figure("reports answered", times.len() - problems.len(), "");
    figure("reports that failed", problems.len(), "");
    figure("reports a second", format!("{:.2}", times.len() as f64 / wall), "");
    let at = |share: f64| times[((times.len() - 1) as f64 * share) as usize];
    figure("a report, median and slowest", format!("{:.1} {:.1}", at(0.5), at(1.0)), "s");
    figure("the serving process: peak memory", number(&report, "memory")? as u64, "MiB");
    figure("records of looks that Kafka acknowledged", number(&report, "records")? as u64, "");
    if let Some(problem) = problems.first() {
        bail!("{} reports failed, the first: {problem}", problems.len());
    }
    if (number(&report, "records")? as usize) < 2 * times.len() {
        bail!("looks are missing in the record");
    }
    Ok(())
}

/// Takes the whole answer. One that fails half-way is cut off, which is an error.
async fn whole(asked: reqwest::RequestBuilder) -> anyhow::Result<()> {
    let answer = asked.send().await?;
    let status = answer.status();
    let text = answer.text().await?;
    if !status.is_success() {
        bail!("{status}: {text}");
    }
    Ok(())
}
