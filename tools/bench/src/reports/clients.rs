//! Many concurrent clients over HTTP.

use super::folders::Folders;
use crate::figure::figure;
use crate::process::number;
use anyhow::{Context, bail};
use serde_json::Value;
use std::process::Stdio;
use std::time::{Duration, Instant};
use tokio::io::{AsyncBufReadExt, BufReader};

/// Concurrent clients.
const CONCURRENT_CLIENTS: usize = 50;
/// Reports that each client requests, one after the other, starting at a position of its own in the list of reports.
const REPORTS_PER_CLIENT: usize = 4;
/// The API does not let a statement take longer.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(300);

/// Serves the archive in a process of its own, and measures all clients.
pub(super) async fn measure(folders: &Folders, brokers: &str) -> anyhow::Result<()> {
    let mut server = tokio::process::Command::new(std::env::current_exe()?)
        .args(["serve", "--brokers", brokers, "--folder"])
        .arg(&folders.archive)
        .arg("--spill")
        .arg(&folders.spill)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .context("start the server")?;
    let mut lines = BufReader::new(server.stdout.take().context("the server has no output")?).lines();
    let address = lines.next_line().await?.context("the server printed no address")?;

    let names: Vec<&'static str> = holdfast_reports::all().iter().map(|report| report.name).collect();
    let began = Instant::now();
    let clients = (0..CONCURRENT_CLIENTS).map(|number| {
        let (address, names) = (address.clone(), names.clone());
        tokio::spawn(async move {
            let client = reqwest::Client::builder().timeout(REQUEST_TIMEOUT).build()?;
            let mut responses = Vec::new();
            for position in 0..REPORTS_PER_CLIENT {
                let name = names[(number * REPORTS_PER_CLIENT + position) % names.len()];
                let began = Instant::now();
                let request = client
                    .get(format!("http://{address}/v1/reports/{name}?format=ndjson"))
                    .bearer_auth(format!("client-{number}"));
                let problem = receive(request).await.err().map(|why| format!("{name}: {why}"));
                responses.push((began.elapsed().as_secs_f64(), problem));
            }
            anyhow::Ok(responses)
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
    let report = lines.next_line().await?.context("the server printed no report")?;
    let report: Value = serde_json::from_str(&report)?;
    server.wait().await?;

    times.sort_by(f64::total_cmp);
    figure("clients at once", CONCURRENT_CLIENTS, "");
    figure("reports answered", times.len() - problems.len(), "");
    figure("reports that failed", problems.len(), "");
    figure("reports a second", format!("{:.2}", times.len() as f64 / wall), "");
    let at = |share: f64| times[((times.len() - 1) as f64 * share) as usize];
    figure("a report, median and slowest", format!("{:.1} {:.1}", at(0.5), at(1.0)), "s");
    figure("the serving process: peak memory", number(&report, "memory")? as u64, "MiB");
    figure("access records that Kafka acknowledged", number(&report, "records")? as u64, "");
    if let Some(problem) = problems.first() {
        bail!("{} reports failed, the first: {problem}", problems.len());
    }
    if (number(&report, "records")? as usize) < 2 * times.len() {
        bail!("access records are missing");
    }
    Ok(())
}

/// Sends a request and receives the whole response. If the statement fails midway, the server cuts the response off,
/// which is an error.
async fn receive(request: reqwest::RequestBuilder) -> anyhow::Result<()> {
    let response = request.send().await?;
    let status = response.status();
    let text = response.text().await?;
    if !status.is_success() {
        bail!("{status}: {text}");
    }
    Ok(())
}
