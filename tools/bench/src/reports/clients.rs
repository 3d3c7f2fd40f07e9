//! Many concurrent clients over HTTP.

use super::duckdb::DuckDb;
use super::folders::Folders;
use super::statement::statement;
use crate::figure::figure;
use crate::process::number;
use anyhow::{Context, bail};
use holdfast_reports::Report;
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

    let same = run(&address, false).await?;
    let own = run(&address, true).await?;
    drop(server.stdin.take());
    let report = lines.next_line().await?.context("the server printed no report")?;
    let report: Value = serde_json::from_str(&report)?;
    server.wait().await?;

    figure("clients at once", CONCURRENT_CLIENTS, "");
    for (what, answered) in [("the same period for all", &same), ("a period for each client", &own)] {
        let Answered { times, problems, wall } = answered;
        figure(&format!("{what}: reports answered"), times.len() - problems.len(), "");
        figure(&format!("{what}: reports a second"), format!("{:.2}", times.len() as f64 / wall), "");
        let at = |share: f64| times[((times.len() - 1) as f64 * share) as usize];
        figure(&format!("{what}: median and slowest"), format!("{:.1} {:.1}", at(0.5), at(1.0)), "s");
        if let Some(problem) = problems.first() {
            bail!("{} reports failed, the first: {problem}", problems.len());
        }
    }
    figure("the serving process: peak memory", number(&report, "memory")? as u64, "MiB");
    figure("access records that Kafka acknowledged", number(&report, "records")? as u64, "");
    if (number(&report, "records")? as usize) < 2 * (same.times.len() + own.times.len()) {
        bail!("access records are missing");
    }
    print_duckdb(folders)
}

/// What was answered.
struct Answered {
    /// The seconds of each report, in ascending order.
    times: Vec<f64>,
    problems: Vec<String>,
    /// Seconds until the last.
    wall: f64,
}

/// The reports that a client requests.
fn reports_of(client: usize) -> impl Iterator<Item = &'static Report> {
    let reports = holdfast_reports::all();
    (0..REPORTS_PER_CLIENT).map(move |position| &reports[(client * REPORTS_PER_CLIENT + position) % reports.len()])
}

/// All clients at once. With `own_periods` no two of them request the same: their periods begin at different seconds.
async fn run(address: &str, own_periods: bool) -> anyhow::Result<Answered> {
    let began = Instant::now();
    let clients = (0..CONCURRENT_CLIENTS).map(|number| {
        let address = address.to_owned();
        let period = if own_periods { format!("&from=1970-01-01T00:00:{number:02}Z") } else { String::new() };
        tokio::spawn(async move {
            let client = reqwest::Client::builder().timeout(REQUEST_TIMEOUT).build()?;
            let mut responses = Vec::new();
            for Report { name, .. } in reports_of(number) {
                let began = Instant::now();
                let request = client
                    .get(format!("http://{address}/v1/reports/{name}?format=ndjson{period}"))
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
    times.sort_by(f64::total_cmp);
    Ok(Answered { times, problems, wall: began.elapsed().as_secs_f64() })
}

/// DuckDB with the same clients and reports, in one process with as many threads.
fn print_duckdb(folders: &Folders) -> anyhow::Result<()> {
    let statements = |client| reports_of(client).map(statement).collect::<anyhow::Result<Vec<String>>>();
    let clients = (0..CONCURRENT_CLIENTS).map(statements).collect::<anyhow::Result<Vec<_>>>()?;
    let seconds = DuckDb::start(&folders.plain)?.execute_at_once(&clients)?;
    let reports = CONCURRENT_CLIENTS * REPORTS_PER_CLIENT;
    figure("DuckDB with as many clients: reports a second", format!("{:.2}", reports as f64 / seconds), "");
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
