//! A real Apache Kafka 4: one process that is broker and controller (KRaft), on loopback, with its data in a temporary
//! folder that survives a kill.
//!
//! [`clients`] has the operations of tests on any Kafka, also on the embedded broker.

pub mod clients;

use std::fmt::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use tempfile::TempDir;
use tokio::net::TcpStream;

use crate::child::{ChildProcess, Signal};
use crate::{Error, ports, tools};

/// A start takes three seconds on an idle machine. The limit allows for a machine that compiles at the same time.
const START_LIMIT: Duration = Duration::from_secs(120);
const STOP_LIMIT: Duration = Duration::from_secs(60);

/// The configuration of the server.
#[derive(Debug, Clone)]
pub struct Options {
    /// The Java heap's limit in MiB.
    pub heap_mebibytes: u32,
    /// Additional lines of `server.properties`; the last one of a name applies.
    pub properties: Vec<(String, String)>,
    /// A user and password: adds a second listener that requires SASL with SCRAM-SHA-256.
    pub scram_user: Option<(String, String)>,
}

impl Default for Options {
    fn default() -> Self {
        Self { heap_mebibytes: 512, properties: Vec::new(), scram_user: None }
    }
}

/// A running server, killed when this value is dropped.
#[derive(Debug)]
pub struct Kafka {
    java: PathBuf,
    jars: PathBuf,
    heap_mebibytes: u32,
    folder: TempDir,
    bootstrap: String,
    sasl_bootstrap: Option<String>,
    child: Option<ChildProcess>,
}

impl Kafka {
    /// Starts a server and waits until it is ready.
    ///
    /// # Errors
    ///
    /// [`Error::Unavailable`] without Java or the server's jars; other errors if it does not start.
    pub async fn start() -> Result<Self, Error> {
        Self::start_with(Options::default()).await
    }

    /// Starts a server with this configuration.
    ///
    /// # Errors
    ///
    /// As [`start`](Self::start).
    pub async fn start_with(options: Options) -> Result<Self, Error> {
        let (java, jars) = (tools::java()?, tools::kafka()?);
        let folder = tempfile::Builder::new()
            .prefix("holdfast-kafka-")
            .tempdir()
            .map_err(Error::io("make", "a folder for Kafka"))?;
        let address = |port: u16| format!("127.0.0.1:{port}");
        let (bootstrap, controller) = (address(ports::free()), address(ports::free()));
        let sasl_bootstrap = options.scram_user.is_some().then(|| address(ports::free()));

        let properties = properties(folder.path(), &bootstrap, &controller, sasl_bootstrap.as_deref(), &options);
        let path = folder.path().join("server.properties");
        std::fs::write(&path, properties).map_err(Error::io("write", &path))?;

        let heap_mebibytes = options.heap_mebibytes;
        let mut kafka = Self { java, jars, heap_mebibytes, folder, bootstrap, sasl_bootstrap, child: None };
        kafka.format(options.scram_user.as_ref()).await?;
        kafka.restart().await?;
        Ok(kafka)
    }

    /// The bootstrap address: `127.0.0.1:PORT`. It does not change at a restart.
    #[must_use]
    pub fn bootstrap(&self) -> &str {
        &self.bootstrap
    }

    /// The bootstrap address of the SASL listener, if the server was started with a user.
    #[must_use]
    pub fn sasl_bootstrap(&self) -> Option<&str> {
        self.sasl_bootstrap.as_deref()
    }

    /// Kills the server with SIGKILL. Its data stays.
    pub fn kill(&mut self) {
        if let Some(mut child) = self.child.take() {
            child.kill();
        }
    }

    /// Shuts the server down gracefully. Its data stays.
    ///
    /// # Errors
    ///
    /// [`Error::TimedOut`] if it does not end. It is then killed.
    pub async fn stop(&mut self) -> Result<(), Error> {
        if let Some(mut child) = self.child.take() {
            child.signal(Signal::Terminate);
            child.wait(STOP_LIMIT).await?;
        }
        Ok(())
    }

    /// Starts the server again with the same data and ports, and waits until it is ready. Kills it first if it still runs.
    ///
    /// # Errors
    ///
    /// [`Error::Ended`] or [`Error::TimedOut`] with the end of the server's log.
    pub async fn restart(&mut self) -> Result<(), Error> {
        self.kill();
        let heap = format!("-Xmx{}m", self.heap_mebibytes);
        let mut command = self.java(&[&heap], "kafka.Kafka");
        let mut child = ChildProcess::spawn("kafka", command.arg("server.properties"), self.folder.path())?;
        let bootstrap = self.bootstrap.clone();
        // No client before the port is open: librdkafka waits for a second after a refused connection.
        child
            .wait_until(START_LIMIT, || {
                let bootstrap = bootstrap.clone();
                async move { TcpStream::connect(&bootstrap).await.is_ok() && clients::serves(&bootstrap).await }
            })
            .await?;
        self.child = Some(child);
        Ok(())
    }

    /// Stops the process with SIGSTOP, like a long garbage collection or a lost network.
    pub fn pause(&mut self) {
        self.signal(Signal::Stop);
    }

    /// Continues the stopped process.
    pub fn resume(&mut self) {
        self.signal(Signal::Continue);
    }

    /// Creates a topic and waits until each of its partitions has a leader.
    ///
    /// # Errors
    ///
    /// [`Error::Kafka`] if the server refuses.
    pub async fn create_topic(&self, name: &str, partitions: i32) -> Result<(), Error> {
        clients::create_topic(&self.bootstrap, name, partitions, &[]).await
    }

    /// The folder with the server's settings, data and logs.
    #[must_use]
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    fn signal(&mut self, signal: Signal) {
        if let Some(child) = &mut self.child {
            child.signal(signal);
        }
    }

    /// Formats the data folder for Kafka, and creates the user.
    async fn format(&self, scram_user: Option<&(String, String)>) -> Result<(), Error> {
        let mut command = self.java(&["-Xmx128m"], "kafka.tools.StorageTool");
        // The cluster id is arbitrary: 16 bytes as base64 without padding.
        command.args([
            "format",
            "--standalone",
            "--cluster-id",
            "aG9sZGZhc3QtdGVzdC1rMQ",
            "--config",
            "server.properties",
        ]);
        if let Some((user, password)) = scram_user {
            command.arg("--add-scram").arg(format!("SCRAM-SHA-256=[name={user},password={password}]"));
        }
        let mut child = ChildProcess::spawn("format", &mut command, self.folder.path())?;
        let status = child.wait(START_LIMIT).await?;
        if status.success() {
            Ok(())
        } else {
            Err(Error::Ended { name: "format".to_owned(), status, log: child.tail() })
        }
    }

    fn java(&self, options: &[&str], class: &str) -> Command {
        let mut command = Command::new(&self.java);
        // Serial collector and first compiler only: the server shares two cores with the test and runs for seconds.
        command.args(["-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-XX:-UsePerfData"]).args(options);
        command.arg("-Dorg.slf4j.simpleLogger.defaultLogLevel=warn");
        command.arg("-cp").arg(self.jars.join("*")).arg(class);
        command.current_dir(self.folder.path()).stdin(Stdio::null());
        // The machine's own Java settings must not apply; the JVM would also print them.
        command.env_remove("JAVA_TOOL_OPTIONS").env_remove("_JAVA_OPTIONS").env_remove("CLASSPATH");
        command
    }
}

fn properties(folder: &Path, broker: &str, controller: &str, sasl: Option<&str>, options: &Options) -> String {
    let mut listeners = format!("PLAINTEXT://{broker},CONTROLLER://{controller}");
    if let Some(sasl) = sasl {
        let _ = write!(listeners, ",SASL://{sasl}");
    }
    let data = folder.join("data").display().to_string();
    let mut lines: Vec<(&str, &str)> = vec![
        ("process.roles", "broker,controller"),
        ("node.id", "1"),
        ("controller.quorum.bootstrap.servers", controller),
        ("controller.listener.names", "CONTROLLER"),
        ("inter.broker.listener.name", "PLAINTEXT"),
        ("listener.security.protocol.map", "PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT,SASL:SASL_PLAINTEXT"),
        ("listeners", &listeners),
        ("advertised.listeners", &listeners),
        ("log.dirs", &data),
        // One server: there is no replication, and the internal topics need few partitions.
        ("offsets.topic.replication.factor", "1"),
        ("offsets.topic.num.partitions", "4"),
        ("transaction.state.log.replication.factor", "1"),
        ("transaction.state.log.min.isr", "1"),
        ("transaction.state.log.num.partitions", "4"),
        ("share.coordinator.state.topic.replication.factor", "1"),
        ("share.coordinator.state.topic.min.isr", "1"),
        ("share.coordinator.state.topic.num.partitions", "1"),
        // Delays that help a cluster and only slow a test down. Sessions may be short, for tests of lost consumers.
        ("group.initial.rebalance.delay.ms", "0"),
        ("group.min.session.timeout.ms", "1000"),
        ("broker.heartbeat.interval.ms", "500"),
        ("broker.session.timeout.ms", "3000"),
        // The program creates its topics itself. Automatic creation would hide a missing one.
        ("auto.create.topics.enable", "false"),
    ];
    if sasl.is_some() {
        lines.push(("sasl.enabled.mechanisms", "SCRAM-SHA-256"));
        lines.push((
            "listener.name.sasl.scram-sha-256.sasl.jaas.config",
            "org.apache.kafka.common.security.scram.ScramLoginModule required;",
        ));
    }
    lines.extend(options.properties.iter().map(|(name, value)| (name.as_str(), value.as_str())));
    lines.iter().fold(String::new(), |mut text, (name, value)| {
        let _ = writeln!(text, "{name}={value}");
        text
    })
}
