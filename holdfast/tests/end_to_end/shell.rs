//! `holdfast sql` in a terminal, with a file and with standard input.
//!
//! ```text
//! test ──keys──▶ tmux, a real terminal ──▶ holdfast sql
//!      ◀─screen──
//! ```

use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use holdfast_testkit::{require, tools};
use tempfile::TempDir;

use crate::installation::{Installation, TIMEOUT};

/// A terminal with a program in it. The program and the terminal end when this value is dropped.
struct Terminal {
    tmux: PathBuf,
    folder: TempDir,
}

impl Terminal {
    /// Starts the program of an installation in it, with the folder for state in the terminal's own.
    fn start(tmux: PathBuf, installation: &Installation, arguments: &str, variables: &[(&str, &str)]) -> Self {
        let folder = tempfile::Builder::new().prefix("holdfast-terminal-").tempdir().expect("a temporary folder");
        let terminal = Self { tmux, folder };
        let command = format!("{} sql {arguments}", env!("CARGO_BIN_EXE_holdfast"));
        let started = terminal
            .command(&["-f", "/dev/null", "-u", "new-session", "-d", "-x", "120", "-y", "80", &command])
            .env("HOLDFAST__GATEWAY__LISTEN", &installation.http)
            .env("HOLDFAST__QUERY__LISTEN", &installation.query)
            .env("HOLDFAST__BROKER__LISTEN", &installation.broker)
            .env("XDG_STATE_HOME", terminal.folder.path().join("state"))
            .env("NO_COLOR", "1")
            .env_remove("PAGER")
            .envs(variables.iter().copied())
            .current_dir(installation.path())
            .status();
        assert!(started.expect("tmux starts").success());
        terminal
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(&self.tmux);
        // A server of its own, with the environment of its first command.
        command.env("LC_ALL", "C.UTF-8").env("TMUX_TMPDIR", self.folder.path()).env_remove("TMUX");
        command.args(arguments);
        command
    }

    /// Presses keys, by tmux's names.
    fn press(&self, keys: &[&str]) {
        let arguments: Vec<&str> = ["send-keys"].into_iter().chain(keys.iter().copied()).collect();
        assert!(self.command(&arguments).status().expect("tmux runs").success(), "{keys:?}");
    }

    /// Types a text.
    fn type_text(&self, text: &str) {
        // tmux ends a command at a semicolon that ends an argument.
        let escaped = text.strip_suffix(';').map_or_else(|| text.to_owned(), |rest| format!("{rest}\\;"));
        assert!(self.command(&["send-keys", "-l", &escaped]).status().expect("tmux runs").success(), "{text}");
    }

    /// Types a line.
    fn enter(&self, line: &str) {
        self.type_text(line);
        self.press(&["Enter"]);
    }

    fn screen(&self) -> String {
        let captured = self.command(&["capture-pane", "-p"]).output().expect("tmux runs");
        String::from_utf8_lossy(&captured.stdout).trim_end().to_owned()
    }

    /// Waits until the screen is as expected.
    async fn wait(&self, what: &str, is_there: impl Fn(&str) -> bool) -> String {
        let begun = Instant::now();
        loop {
            let screen = self.screen();
            if is_there(&screen) {
                return screen;
            }
            assert!(begun.elapsed() < TIMEOUT, "{what} is not on the screen:\n{screen}");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    /// Waits until the last line of the screen ends with `end`.
    async fn wait_end(&self, end: &str) -> String {
        self.wait(end, |screen| screen.ends_with(end)).await
    }

    /// Empties the screen, so that what was waited for before is not found again.
    fn clear(&self) {
        self.press(&["C-l"]);
    }

    /// Waits until the program has ended, and tmux with it.
    async fn wait_ended(&self) {
        let begun = Instant::now();
        let runs = || self.command(&["has-session"]).output().is_ok_and(|output| output.status.success());
        while runs() {
            assert!(begun.elapsed() < TIMEOUT, "the program has not ended:\n{}", self.screen());
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        let _ = self.command(&["kill-server"]).output();
    }
}

async fn demo() -> Installation {
    let installation = Installation::empty();
    let arguments = ["demo", "--dir", ".", "--exit", "--sessions", "5", "--seed", "7", "--json"];
    let facts = installation.program.run(&arguments, TIMEOUT).await.unwrap().success();
    assert!(!facts.is_empty());
    installation
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_shell_edits_completes_describes_and_cancels() {
    let tmux = require!(tools::command("tmux"));
    let installation = demo().await;
    let lines = installation.number("SELECT count(*) AS n FROM archive.chat_lines").await;
    let terminal = Terminal::start(tmux, &installation, "--purpose 'a trial'", &[]);
    terminal.wait_end("holdfast=>").await;

    // A statement of two lines, with a name that TAB completes.
    terminal.enter("SELECT count(*) AS n");
    terminal.wait_end("holdfast->").await;
    terminal.type_text("FROM archive.chat");
    terminal.press(&["Tab"]);
    terminal.wait("the name", |screen| screen.trim_end().ends_with("holdfast-> FROM archive.chat_lines")).await;
    terminal.enter(";");
    let screen = terminal.wait("the answer", |screen| screen.contains("(1 row)")).await;
    println!("{screen}\n");
    let rows: Vec<&str> = screen.lines().map(str::trim).collect();
    assert!(rows.contains(&lines.to_string().as_str()), "{screen}");

    // Columns of what the statement names, before it is named.
    terminal.clear();
    terminal.type_text("SELECT s.started FROM archive.sessions s");
    terminal.press(&["Home"]);
    for _ in 0.."SELECT s.started".len() {
        terminal.press(&["Right"]);
    }
    terminal.press(&["Tab"]);
    terminal.wait("the column", |screen| screen.contains("SELECT s.started_at  FROM")).await;
    terminal.press(&["C-c"]);

    terminal.clear();
    terminal.enter("\\d events");
    let screen = terminal.wait("the table", |screen| screen.contains(" rows)")).await;
    println!("{screen}\n");
    assert!(screen.contains("Table \"archive.events\"") && screen.contains("timestamp with time zone"), "{screen}");

    terminal.clear();
    terminal.enter("SELECT nothing FROM events;");
    let screen = terminal.wait("the error", |screen| screen.contains("ERROR")).await;
    println!("{screen}\n");
    assert!(screen.matches("nothing").count() > 1, "{screen}");
    terminal.enter("\\timng");
    terminal.wait("the nearest name", |screen| screen.contains("did you mean \\timing")).await;

    // Ctrl-C forgets a statement that has begun, and cancels one that executes.
    terminal.clear();
    terminal.enter("SELECT 'a");
    terminal.wait_end("holdfast'>").await;
    terminal.press(&["C-c"]);
    terminal.wait_end("holdfast=>").await;
    terminal.enter("SELECT count(*) FROM generate_series(1, 10000000) a, generate_series(1, 10000000) b;");
    tokio::time::sleep(Duration::from_secs(1)).await;
    terminal.press(&["C-c"]);
    terminal.wait("that it was cancelled", |screen| screen.contains("The statement was cancelled.")).await;
    terminal.enter("\\x on");
    terminal.enter(" SELECT 40 + 2 AS answer;");
    let screen = terminal.wait("the next answer", |screen| screen.contains("answer  42")).await;
    println!("{screen}\n");

    terminal.enter("\\q");
    terminal.wait_ended().await;
    let history = terminal.folder.path().join("state/holdfast/sql_history");
    let mode = |path: &Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(&history), 0o600);
    let kept = std::fs::read_to_string(&history).unwrap();
    assert!(kept.contains("SELECT nothing FROM events;") && !kept.contains("40 + 2"), "{kept}");

    // Each statement is an access of its own, with the purpose; what was typed and described is none.
    let recorded = "SELECT statement, purpose, outcome FROM archive.access_log WHERE purpose = 'a trial' ORDER BY time";
    let server = installation.serve().await;
    let begun = Instant::now();
    let records = loop {
        let records = installation.sql(recorded).await;
        if records.len() >= 2 || begun.elapsed() > TIMEOUT {
            break records;
        }
        tokio::time::sleep(Duration::from_millis(500)).await;
    };
    crate::installation::stop(server).await;
    let statements: Vec<&str> = records.iter().filter_map(|record| record["statement"].as_str()).collect();
    assert!(statements.contains(&"SELECT count(*) AS n\nFROM archive.chat_lines"), "{statements:?}");
    assert!(statements.iter().all(|statement| !statement.contains("information_schema")), "{statements:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn long_results_go_to_the_pager_and_end_of_file_ends_the_shell() {
    let tmux = require!(tools::command("tmux"));
    let installation = demo().await;
    let terminal =
        Terminal::start(tmux, &installation, "--no-history", &[("PAGER", "sh -c 'cat > paged; echo paged it'")]);
    terminal.wait_end("holdfast=>").await;
    terminal.enter("VALUES (1);");
    terminal.wait("a short result", |screen| screen.contains("(1 row)")).await;
    assert!(!installation.path().join("paged").exists());
    terminal.enter("SELECT * FROM generate_series(1, 500) ORDER BY 1;");
    terminal.wait("what the pager prints", |screen| screen.lines().any(|line| line == "paged it")).await;
    let paged = std::fs::read_to_string(installation.path().join("paged")).unwrap();
    assert!(paged.contains("500\n(500 rows)\n"), "{paged}");
    terminal.press(&["C-d"]);
    terminal.wait_ended().await;
    assert!(!terminal.folder.path().join("state").exists(), "no history is kept");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn scripts_stop_at_the_first_error_and_name_its_line() {
    let installation = Installation::new().await;
    let path = installation.path().join("script.sql");
    let script = "\u{feff}-- two answers and a mistake between them\nSELECT 1 AS a;\nSELECT ';' AS b,\n  2 AS c;\n\n\
        SELECT nothing FROM archive.events;\nSELECT 3 AS d";
    std::fs::write(&path, script).unwrap();
    let run = async |arguments: &[&str]| {
        let all: Vec<&str> = ["sql", "--format", "csv"].into_iter().chain(arguments.iter().copied()).collect();
        installation.run(&all).await
    };
    let stopped = run(&["-f", "script.sql"]).await;
    assert_eq!(stopped.status.code(), Some(1), "{}", stopped.stderr);
    assert_eq!(stopped.stdout, "a\n1\nb,c\n;,2\n");
    assert!(stopped.stderr.starts_with("holdfast:script.sql:6: ERROR:"), "{}", stopped.stderr);

    let went_on = run(&["--file", "script.sql", "--keep-going"]).await;
    assert_eq!(went_on.status.code(), Some(1), "{}", went_on.stderr);
    assert_eq!(went_on.stdout, "a\n1\nb,c\n;,2\nd\n3\n");

    for arguments in [&["sql", "--json"][..], &["sql", "-", "--json"], &["sql", "-f", "-", "--json"]] {
        let input = b"SELECT 1 AS a; \\echo between\nSELECT 2 AS a\n";
        let output = installation.program.run_with_input(arguments, input, TIMEOUT).await.unwrap().success();
        assert_eq!(output, "[{\"a\":1}]\nbetween\n[{\"a\":2}]\n", "{arguments:?}");
    }
    let failed = installation.program.run_with_input(&["sql"], b"\nSELEC 1;\nSELECT 2;", TIMEOUT).await.unwrap();
    assert_eq!((failed.status.code(), failed.stdout.as_str()), (Some(1), ""));
    assert!(failed.stderr.starts_with("holdfast:<stdin>:2: ERROR:"), "{}", failed.stderr);

    // A file is complete or absent.
    let stopped = run(&["-f", "script.sql", "--out", "out.csv"]).await;
    assert_eq!(stopped.status.code(), Some(1));
    assert!(!installation.path().join("out.csv").exists());
    run(&["-f", "script.sql", "--keep-going", "--out", "out.csv"]).await;
    assert_eq!(std::fs::read_to_string(installation.path().join("out.csv")).unwrap(), went_on.stdout);
    let missing = run(&["-f", "missing.sql"]).await;
    assert_eq!(missing.status.code(), Some(1));
    assert!(missing.stderr.contains("missing.sql"), "{}", missing.stderr);
    assert_eq!(run(&["-f", "x", "SELECT 1"]).await.status.code(), Some(2));
}
