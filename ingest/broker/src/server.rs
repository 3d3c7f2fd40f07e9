//! The listener, its connections, and the life of the broker.
//!
//! ```text
//! start: loopback? ─▶ lock ─▶ key ─▶ listen ─▶ database ─▶ task
//! task:  accept ─▶ connection: one request after the other ─▶ routes      every second: does the database still answer?
//! stop:  no more accepts ─▶ each connection ends its request ─▶ database task ends ─▶ log moved into the database
//! ```
//!
//! tansu has a server of its own, but it takes the process's signals and writes progress bars to stdout.

use std::{
    io,
    net::SocketAddr,
    path::PathBuf,
    sync::Arc,
    time::{Duration, SystemTime},
};

use bytes::Bytes;
use rama::{
    Context, Layer as _, Service as _,
    layer::{MapErrLayer, MapStateLayer},
};
use tansu_broker::{
    Error as TansuError,
    coordinator::group::administrator::Controller,
    service::{coordinator, storage as routes},
};
use tansu_sans_io::{ApiKey as _, FetchRequest};
use tansu_service::{BytesFrameLayer, BytesFrameService, FrameRequestLayer, FrameRouteService};
use tansu_storage::{BrokerRegistrationRequest, Storage as _, StorageContainer};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
    task::{JoinHandle, JoinSet},
    time::{MissedTickBehavior, interval, timeout},
};
use tokio_util::sync::CancellationToken;
use url::Url;
use uuid::Uuid;

use crate::{
    BrokerError, SpoolKey,
    fetch::FetchService,
    lock::{self, DATABASE_FILE, DirectoryLock},
    spool::{self, Spool},
    storage::EncryptedStorage,
};

const NODE: i32 = 1;
/// Bytes of one request. A batch is smaller than half of it; anything larger is not a Kafka client.
const MAX_REQUEST_BYTES: usize = 160 << 20;
const HEALTH_INTERVAL: Duration = Duration::from_secs(1);
const MAINTENANCE_INTERVAL: Duration = Duration::from_mins(1);
/// How long a stop waits for requests that are being answered.
const DRAIN: Duration = Duration::from_secs(10);

/// What the broker is started with.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Where everything is kept; made if it does not exist. One broker at a time.
    pub directory: PathBuf,
    /// A loopback address; with port 0 the system chooses one, see [`EmbeddedBroker::address`].
    pub listen: SocketAddr,
    /// The key of everything in the directory.
    pub key: SpoolKey,
}

/// A running broker. Dropping it stops it without waiting; [`EmbeddedBroker::stop`] waits.
#[derive(Debug)]
pub struct EmbeddedBroker {
    address: SocketAddr,
    stopping: CancellationToken,
    task: JoinHandle<Result<(), BrokerError>>,
}

impl EmbeddedBroker {
    /// Starts a broker; when this returns, clients can connect.
    ///
    /// # Errors
    /// The address is not a loopback address or taken, the directory is in use, was written with another key, or cannot be
    /// read and written.
    pub async fn start(settings: Settings) -> Result<Self, BrokerError> {
        let Settings { directory, listen, key } = settings;
        if !listen.ip().is_loopback() {
            return Err(BrokerError::NotLoopback { address: listen });
        }
        lock::create_directory(&directory)?;
        let directory = directory.canonicalize().map_err(|source| BrokerError::Directory {
            action: "find",
            path: directory,
            source,
        })?;
        let lock = lock::lock_directory(&directory)?;
        let cluster = lock::check_key(&directory, &key)?;

        let listener =
            TcpListener::bind(listen).await.map_err(|source| BrokerError::Listen { address: listen, source })?;
        let address = listener.local_addr().map_err(|source| BrokerError::Listen { address: listen, source })?;

        let reachable = ReachableDirectory::new(directory)?;
        let path = reachable.path.join(DATABASE_FILE);
        let database = spool::prepare(&path).await?;
        let engine = CancellationToken::new();
        let inner = StorageContainer::builder()
            .cluster_id(&cluster)
            .node_id(NODE)
            .advertised_listener(parse(&format!("tcp://{address}"))?)
            .storage(reachable.url()?)
            .silent(true)
            .cancellation(engine.clone())
            .build()
            .await
            .map_err(|error| BrokerError::database("open", error))?;
        inner
            .register_broker(BrokerRegistrationRequest {
                broker_id: NODE,
                cluster_id: cluster.clone(),
                incarnation_id: Uuid::new_v4(),
                rack: None,
            })
            .await
            .map_err(|error| BrokerError::database("register in", error))?;
        let spool = Spool::open(database, &path, &cluster, key).await?;
        let storage = EncryptedStorage::new(inner, Arc::new(spool));

        let stopping = CancellationToken::new();
        let frames = frames(&storage, &stopping).map_err(|error| BrokerError::database("route to", error))?;
        let server = Server {
            listener,
            frames,
            storage,
            engine,
            stopping: stopping.clone(),
            _reachable: reachable,
            _lock: lock,
        };
        tracing::info!(%address, "the embedded broker is listening");
        Ok(Self { address, stopping, task: tokio::spawn(server.run()) })
    }

    /// Where clients connect; `bootstrap.servers` of every client.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Runs until `stop` is cancelled, then stops as [`EmbeddedBroker::stop`] does.
    ///
    /// # Errors
    /// The broker stopped by itself: its database failed, or its task panicked.
    pub async fn run_until(mut self, stop: CancellationToken) -> Result<(), BrokerError> {
        tokio::select! {
            outcome = &mut self.task => ended(outcome),
            () = stop.cancelled() => self.stop().await,
        }
    }

    /// Stops accepting, lets every request that is being answered end (10 s at most), and closes the database.
    ///
    /// # Errors
    /// The broker had already stopped by itself.
    pub async fn stop(mut self) -> Result<(), BrokerError> {
        self.stopping.cancel();
        ended((&mut self.task).await)
    }
}

impl Drop for EmbeddedBroker {
    fn drop(&mut self) {
        self.stopping.cancel();
    }
}

fn ended(outcome: Result<Result<(), BrokerError>, tokio::task::JoinError>) -> Result<(), BrokerError> {
    outcome.unwrap_or_else(|error| Err(BrokerError::Task { reason: error.to_string() }))
}

fn parse(url: &str) -> Result<Url, BrokerError> {
    Url::parse(url).map_err(|error| BrokerError::database("address", error))
}

/// A path of the directory that survives the way into tansu.
///
/// tansu takes a URL, appends its path to the working directory and does not decode it. An absolute path behind one more slash
/// replaces the working directory; but one with, say, a space would arrive as `%20`, so such a directory gets a plain link.
struct ReachableDirectory {
    path: PathBuf,
    link: Option<PathBuf>,
}

impl ReachableDirectory {
    fn new(directory: PathBuf) -> Result<Self, BrokerError> {
        let plain = Self { path: directory, link: None };
        if plain.url().is_ok() {
            return Ok(plain);
        }
        let link = std::env::temp_dir().join(format!("holdfast-broker-{}", Uuid::new_v4()));
        #[cfg(unix)]
        let made = std::os::unix::fs::symlink(&plain.path, &link);
        #[cfg(not(unix))]
        let made = Err(io::Error::from(io::ErrorKind::Unsupported));
        made.map_err(|source| BrokerError::Directory { action: "link to", path: plain.path.clone(), source })?;
        let linked = Self { path: link.clone(), link: Some(link) };
        linked.url()?;
        Ok(linked)
    }

    fn url(&self) -> Result<Url, BrokerError> {
        let unusable = || BrokerError::Directory {
            action: "make a database address of",
            path: self.path.clone(),
            source: io::Error::from(io::ErrorKind::InvalidFilename),
        };
        let database = self.path.join(DATABASE_FILE);
        let database = database.to_str().ok_or_else(unusable)?;
        let url = parse(&format!("sqlite:///{database}"))?;
        if url.path().strip_prefix('/') == Some(database) && url.query().is_none() && url.fragment().is_none() {
            Ok(url)
        } else {
            Err(unusable())
        }
    }
}

impl Drop for ReachableDirectory {
    fn drop(&mut self) {
        if let Some(link) = &self.link {
            let _ = std::fs::remove_file(link);
        }
    }
}

type Frames = BytesFrameService<FrameRouteService<(), TansuError>>;

/// The requests that are answered. What is not here is not announced to clients: transactions, access lists, credentials.
fn frames(storage: &EncryptedStorage, stopping: &CancellationToken) -> Result<Frames, TansuError> {
    let mut builder = FrameRouteService::<(), TansuError>::builder();
    for route in [
        routes::consumer_group_describe,
        routes::create_topics,
        routes::delete_groups,
        routes::delete_records,
        routes::delete_topics,
        routes::describe_cluster,
        routes::describe_configs,
        routes::describe_groups,
        routes::describe_topic_partitions,
        routes::find_coordinator,
        routes::incremental_alter_configs,
        routes::init_producer_id,
        routes::list_groups,
        routes::list_offsets,
        routes::list_partition_reassignments,
        routes::metadata,
        routes::produce,
    ] {
        builder = route(builder, storage.clone())?;
    }
    let state = storage.clone();
    builder = builder.with_route(
        FetchRequest::KEY,
        (MapErrLayer::new(TansuError::from), MapStateLayer::new(|_| state), FrameRequestLayer::<FetchRequest>::new())
            .into_layer(FetchService { stopping: stopping.clone() })
            .boxed(),
    )?;
    let builder = coordinator::services(builder, Controller::with_storage(storage.clone())?)?;
    Ok(BytesFrameLayer::default().into_layer(builder.build()?))
}

struct Server {
    listener: TcpListener,
    frames: Frames,
    storage: EncryptedStorage,
    /// Ends tansu's storage task.
    engine: CancellationToken,
    stopping: CancellationToken,
    _reachable: ReachableDirectory,
    _lock: DirectoryLock,
}

impl Server {
    async fn run(self) -> Result<(), BrokerError> {
        let mut connections = JoinSet::new();
        let outcome = self.serve(&mut connections).await;

        self.stopping.cancel();
        let drained = timeout(DRAIN, async { while connections.join_next().await.is_some() {} }).await;
        if drained.is_err() {
            tracing::warn!(connections = connections.len(), "connections did not end in time and are cut");
            connections.shutdown().await;
        }
        self.engine.cancel();
        if let Err(error) = self.storage.spool().checkpoint().await {
            // Not a loss: the log is on the disk and is read at the next start.
            tracing::warn!(%error, "the broker's log was not moved into its database");
        }
        tracing::info!("the embedded broker has stopped");
        outcome
    }

    async fn serve(&self, tasks: &mut JoinSet<()>) -> Result<(), BrokerError> {
        let mut health = interval(HEALTH_INTERVAL);
        health.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut maintenance = interval(MAINTENANCE_INTERVAL);
        maintenance.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut ping: Option<JoinHandle<Result<(), tansu_storage::Error>>> = None;

        loop {
            tokio::select! {
                () = self.stopping.cancelled() => return Ok(()),
                accepted = self.listener.accept() => match accepted {
                    Ok((stream, peer)) => {
                        let connection = connection(stream, self.frames.clone(), self.stopping.clone());
                        tasks.spawn(async move {
                            if let Err(error) = connection.await {
                                tracing::warn!(%peer, %error, "a connection failed");
                            }
                        });
                    }
                    Err(error) => {
                        // Out of file descriptors, most likely: waiting helps, and an end of the broker does not.
                        tracing::error!(%error, "a connection was not accepted");
                        tokio::time::sleep(Duration::from_millis(100)).await;
                    }
                },
                _ = health.tick() => {
                    if self.storage.spool().is_broken() {
                        return Err(BrokerError::database("write to", "its log could not be brought to the disk"));
                    }
                    // In a task of its own: tansu's storage stops for good when the caller of a request goes away.
                    if ping.as_ref().is_none_or(JoinHandle::is_finished) {
                        if let Some(ping) = ping.take() {
                            ping.await
                                .map_err(|error| BrokerError::database("reach", error))?
                                .map_err(|error| BrokerError::database("reach", error))?;
                        }
                        let storage = self.storage.clone();
                        ping = Some(tokio::spawn(async move { storage.ping().await }));
                    }
                }
                _ = maintenance.tick() => {
                    let storage = self.storage.clone();
                    tasks.spawn(async move {
                        if let Err(error) = storage.maintain(SystemTime::now()).await {
                            tracing::warn!(%error, "maintenance of the broker's database failed");
                        }
                    });
                }
                Some(ended) = tasks.join_next(), if !tasks.is_empty() => {
                    if let Err(error) = ended {
                        tracing::error!(%error, "a connection's task died");
                    }
                }
            }
        }
    }
}

#[derive(Debug, thiserror::Error)]
enum ConnectionError {
    #[error("a request of {0} bytes is not a Kafka request")]
    TooLarge(i64),
    #[error("a request was not understood: {0}")]
    Request(TansuError),
    #[error(transparent)]
    Stream(#[from] io::Error),
}

/// Answers requests in their order, as Kafka promises, until the client goes or the broker stops between two of them.
async fn connection(mut stream: TcpStream, frames: Frames, stopping: CancellationToken) -> Result<(), ConnectionError> {
    stream.set_nodelay(true)?;
    loop {
        let mut size = [0; 4];
        let read = tokio::select! {
            biased;
            () = stopping.cancelled() => return Ok(()),
            read = stream.read_exact(&mut size) => read,
        };
        if let Err(error) = read {
            return match error.kind() {
                io::ErrorKind::UnexpectedEof | io::ErrorKind::ConnectionReset | io::ErrorKind::BrokenPipe => Ok(()),
                _ => Err(error.into()),
            };
        }
        let length = i32::from_be_bytes(size);
        let body = usize::try_from(length)
            .ok()
            .filter(|&length| length <= MAX_REQUEST_BYTES)
            .ok_or(ConnectionError::TooLarge(length.into()))?;
        let mut request = vec![0; size.len() + body];
        request[..size.len()].copy_from_slice(&size);
        let answer = async {
            stream.read_exact(&mut request[size.len()..]).await?;
            let response = frames
                .serve(Context::default(), Bytes::from(std::mem::take(&mut request)))
                .await
                .map_err(ConnectionError::Request)?;
            stream.write_all(&response).await.map_err(ConnectionError::Stream)
        };
        match answer.await {
            Err(ConnectionError::Stream(error))
                if matches!(
                    error.kind(),
                    io::ErrorKind::UnexpectedEof | io::ErrorKind::ConnectionReset | io::ErrorKind::BrokenPipe
                ) =>
            {
                return Ok(());
            }
            outcome => outcome?,
        }
    }
}
